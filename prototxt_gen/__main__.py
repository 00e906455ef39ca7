"""``python -m prototxt_gen`` is ``resnet-proto``."""

from prototxt_gen.cli import main

if __name__ == "__main__":
    main()
