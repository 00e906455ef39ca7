.PHONY: test lint types proto

test:
	python -m pytest

lint:
	ruff check .
	ruff format --check .
	lint-imports

types:
	mypy

# The compiled schema that is read at run time; needs grpcio-tools.
proto:
	cd proto && for file in caffe dialects/*.proto; do \
	    python -m grpc_tools.protoc -I. --descriptor_set_out=$${file%.proto}.binpb \
	        $${file%.proto}.proto || exit 1; \
	done
