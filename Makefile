# Every target sets up what it needs and nothing more (setup/install.sh), then builds, then runs.
.PHONY: demo test soak bench compare check guests build release kafka setup clean-out

demo:
	@setup/install.sh build
	@setup/build.sh dev
	@examples/demo.sh

# TEST='word ...' runs only the tests whose names hold one of the words.
test:
	@setup/run-tests.sh test

# What takes longer than make test may: every decoder is fuzzed for two minutes, or SECONDS_EACH.
soak:
	@setup/run-tests.sh soak

# BENCH='word ...' likewise.
bench:
	@setup/install.sh build kafka
	@setup/build.sh uncounted
	@setup/build.sh release
	@setup/run-bench.sh

# Asks Apache Kafka Connect anew what it answers to the REST scenarios and what its workers write; SCENARIO=word narrows.
compare:
	@setup/install.sh build kafka
	@setup/build.sh dev
	@setup/compare.sh

check:
	@setup/run-tests.sh check

guests:
	@setup/install.sh build
	@setup/build.sh guests

build:
	@setup/install.sh build
	@setup/build.sh dev

# Optimised, as it is to be run: out/release/weir.
release:
	@setup/install.sh build
	@setup/build.sh release

# A broker to try things with, on localhost:9092 (or PORT) until Ctrl-C.
kafka:
	@setup/install.sh kafka
	@setup/try-kafka.sh

setup:
	@setup/install.sh build java kafka registry python prometheus deny

clean-out:
	rm -rf out
