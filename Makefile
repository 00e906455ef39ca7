.PHONY: check test fuzz lint types wheel runtimes docs proto vendor bench

# All that CI runs, in the environment at hand.
check:
	.ci/steps test nets lint types docs wheel

test lint types wheel runtimes:
	.ci/steps $@

# Each target for FUZZ_SECONDS, and each property, with random seeds; `make test` has the same
# few examples of each every time.
fuzz:
	FUZZ_SECONDS=0 python -m pytest -m hypothesis
	FUZZ_SECONDS=$${FUZZ_SECONDS:-180} python -m pytest -n 0 tests/fuzz

# The generated pages and pictures, which are committed, and the site of all pages, in build/site;
# needs pip install -e '.[docs,draw]'.
docs:
	PYTHONPATH=. python docs/reference.py
	PYTHONPATH=. python docs/residual.py
	PYTHONPATH=. python docs/layers.py
	PYTHONPATH=. python docs/rules.py
	PYTHONPATH=. python docs/runtimes.py
	PYTHONPATH=. python docs/onnx_ops.py
	PYTHONPATH=. python docs/roundtrip.py
	PYTHONPATH=. python docs/corpus.py
	PYTHONPATH=. python docs/dynamic.py
	PYTHONPATH=. python docs/pictures.py
	PYTHONPATH=. python docs/session.py
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build -q --strict

bench:
	python benchmarks/speed.py --json benchmarks.json

# The compiled schema that is read at run time; needs grpcio-tools.
proto:
	cd proto && for file in caffe dialects/*.proto; do \
	    python -m grpc_tools.protoc -I. --descriptor_set_out=$${file%.proto}.binpb \
	        $${file%.proto}.proto || exit 1; \
	done

# The script of others that a report's page contains, and its licence; needs npm.
SVG_PAN_ZOOM = 3.6.2
vendor:
	set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	npm pack --silent --pack-destination "$$work" svg-pan-zoom@$(SVG_PAN_ZOOM); \
	tar -xzf "$$work"/svg-pan-zoom-*.tgz -C "$$work"; \
	cp "$$work"/package/dist/svg-pan-zoom.min.js templates/report/vendor/; \
	cp "$$work"/package/LICENSE templates/report/vendor/svg-pan-zoom.LICENSE; \
	chmod 644 templates/report/vendor/*
