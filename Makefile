# coppice: the whole build. GNU make, not recursive (but for variants, which are this file again with another BUILD).
# Nothing is looked for while this is read, so `make deps demo` works where there is no compiler yet.

VERSION    := 0.1.0
PREFIX     ?= /usr/local
DESTDIR    ?=
LIBEXECDIR ?= $(PREFIX)/libexec
MANDIR     ?= $(PREFIX)/share/man
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
BUILD      ?= build
PYTHON     ?= /usr/bin/python3
CHECK_OTP  ?= 5200
SEED       ?= 1
MACHINE    := $(shell uname -m)

# --- flags ----------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wredundant-decls -Wswitch-enum -Wimplicit-fallthrough -Wcast-qual -Wcast-align -Wwrite-strings \
	-Wpointer-arith -Wundef -Wvla -Wformat=2 -Wdouble-promotion -Wnull-dereference -Wdate-time
ifneq ($(findstring clang,$(CC)),)
WARNINGS += -Wmissing-variable-declarations -Wcomma -Wassign-enum -Wshorten-64-to-32 \
	-Wconditional-uninitialized -Wunreachable-code-aggressive -Wloop-analysis
else
WARNINGS += -Wcast-align=strict -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init \
	-Wtrampolines -Walloca -Wformat-truncation=2
STACK_WARNING := -Wstack-usage=8192
endif
ifneq ($(filter true 1,$(CI) $(WERROR)),)
WARNINGS += -Werror
endif

HARDEN := -fstack-protector-strong -fstack-clash-protection
ifeq ($(MACHINE),x86_64)
HARDEN += -fcf-protection
endif

OPTIMISE := -O2 -g
ifdef SANITIZE
OPTIMISE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
STACK_WARNING :=
else ifdef FUZZ
OPTIMISE := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
STACK_WARNING :=
else ifdef COVERAGE
OPTIMISE := -O0 -g --coverage
else
HARDEN += -D_FORTIFY_SOURCE=2
endif

CPPFLAGS += -D_GNU_SOURCE -Isrc -DCOPPICE_VERSION='"$(VERSION)"' -DCOPPICE_LIBEXEC='"$(LIBEXECDIR)"'
COMPILE = $(CC) -std=gnu11 $(CPPFLAGS) $(OPTIMISE) $(WARNINGS) $(LAYER_FLAGS) $(HARDEN) \
	-fno-common -fno-strict-aliasing -fPIE -pthread $(CFLAGS)
LINK = $(CC) $(OPTIMISE) -pie -Wl,--as-needed -Wl,-z,relro,-z,now -pthread $(LDFLAGS)

# Short lines of what is done; V=1 shows the commands.
ifdef V
say =
else
say = @printf '%-8s %s\n' $(1) $@;
endif

# --- what is made from what -----------------------------------------------------------------------------------

OBJ    := $(BUILD)/obj
LAYERS := lib wire core config reaper engine ctl
objects = $(patsubst %,$(OBJ)/%.o,$(basename $(wildcard $(addprefix src/$(1)/*.,c S))))
$(foreach layer,$(LAYERS),$(eval OBJECTS_$(layer) := $(call objects,$(layer))))

archive = $(foreach layer,$(1),$(BUILD)/lib/$(layer).a)
LIBS_engine := -linih -ljansson -lev -lm
LIBS_ctl    := -ljansson -lm

REAPER := $(BUILD)/bin/coppiced
CTL    := $(BUILD)/bin/coppicectl
ENGINE := $(BUILD)/libexec/coppice/coppice-engine

UNIT    := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*/test_*.c))
HELPERS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/helpers/*.c))
BENCHES := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/bench/*.c))
FUZZERS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(filter-out tests/fuzz/fuzz.c,$(wildcard tests/fuzz/*.c)))
SIM_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/sim/*.c))
SIM     := $(if $(SIM_OBJECTS),$(BUILD)/tests/sim)
PLAY_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/otp/*.c))
PLAY    := $(BUILD)/tests/otp/play

# What a unit test of a layer is linked with; --start-group spares us their order.
TEST_LAYERS_lib    := lib
TEST_LAYERS_wire   := wire lib
TEST_LAYERS_core   := core wire lib
TEST_LAYERS_config := config core wire lib
TEST_LAYERS_engine := engine config core wire lib
TEST_LAYERS_reaper := reaper wire lib
TEST_LAYERS_ctl    := ctl wire lib
layer_of = $(firstword $(subst /, ,$(1)))
# What the tests of a layer share: the other files of their folder.
support = $(patsubst %.c,$(OBJ)/%.o,$(filter-out tests/unit/$(1)/test_%,$(wildcard tests/unit/$(1)/*.c)))

# --- targets --------------------------------------------------------------------------------------------------

PACKAGES := build-essential libev-dev libinih-dev libjansson-dev libcmocka-dev \
	python3-pytest python3-pytest-xdist python3-jsonschema netcat-openbsd mandoc
# Everything waits for deps when it is asked for too, with -j as well.
WAIT := $(filter deps,$(MAKECMDGOALS))
export BUILD PYTHON

.PHONY: all check sim check-unit check-sim check-system check-lint check-otp check-asan check-valgrind coverage lint lint-all \
	mutate fuzz fuzzers bench check-boot demo deps install clean help programs tests force
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:

all: programs
programs: $(REAPER) $(CTL) $(ENGINE)
tests: programs $(UNIT) $(HELPERS) $(SIM) $(PLAY)

help:
	@sed -n 's/^#: //p' Makefile

#: all             build the programs (the default)
#: deps            install what is needed to build and test (Debian's apt-get; root or sudo)
#: demo            run the demonstration: a tree of small programs that is hurt and heals
#: check           all quick tests: unit, simulator, quick lints, system; under 3 minutes
#: check-unit check-sim check-lint check-system   its parts
#: check-otp       compare the core with Erlang's supervisor (erlang-base): CHECK_OTP=5200 random scenarios of SEED=1
#: check-asan      check with the address and undefined behaviour sanitizers, in $(BUILD)-asan
#: check-valgrind  unit tests under valgrind
#: check-boot      boot machines in QEMU with coppiced as their first process; limits by cgroup are tested there too
#: mutate          break src/core in some 350 ways and report which test notices; before landing, 3 minutes
#: sim             the simulator: random trees and failures for SECONDS=60, from SEED=1 on
#: coverage        lines of src/core and cells of its state tables that unit tests and simulator reach; fails below 95 %
#: lint            layers, purity, names, sizes, analyzers on what changed since the last commit upstream
#: lint-all        the same, analyzers on everything
#: fuzz            every reader of bytes from outside under libFuzzer (clang), FUZZ_SECONDS=10 each
#: bench           measure against the floor program and other supervisors; under 5 minutes
#: etc/coppice.conf   the commented example, from the table of keys
#: install         to DESTDIR and PREFIX (/usr/local)
#: clean           remove the build directories
#: Variables: V=1 BUILD=build CC=cc CFLAGS= WERROR=1 PREFIX=/usr/local DESTDIR=

check: tests | $(WAIT)
	@tests/check unit sim $(if $(SANITIZE),,lint) system
check-unit check-sim check-lint check-system: check-%: tests | $(WAIT)
	@tests/check $*
check-otp: $(PLAY) | $(WAIT)
	@CHECK_OTP=$(CHECK_OTP) SEED=$(SEED) tests/otp/check
check-asan: | $(WAIT)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-asan SANITIZE=1 check
sim: $(SIM) | $(WAIT)
	@$(SIM) --seconds $(or $(SECONDS),60) --seed $(or $(SEED),1)
check-valgrind: $(UNIT) | $(WAIT)
	@tests/check valgrind
check-boot: programs $(HELPERS) | $(WAIT)
	@tests/boot/run
coverage: | $(WAIT)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-coverage COVERAGE=1 tests
	@find $(BUILD)-coverage -name '*.gcda' -delete; rm -f $(BUILD)-coverage/cells
	@BUILD=$(BUILD)-coverage CELLS=$(abspath $(BUILD)-coverage/cells) tests/check unit coverage
mutate: | $(WAIT)
	@tests/mutate/run
lint lint-all: programs | $(WAIT)
	@tests/lint/run $@
fuzz: | $(WAIT)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-fuzz CC=clang FUZZ=1 fuzzers
	@BUILD=$(BUILD)-fuzz tests/fuzz/run
fuzzers: $(FUZZERS)
bench: programs $(HELPERS) $(BENCHES) | $(WAIT)
	@tests/bench/run
demo: programs | $(WAIT)
	@etc/demo/run

etc/coppice.conf: $(ENGINE) force
	@$(ENGINE) compile --example >$@

deps:
	@command -v dpkg-query >/dev/null || { echo "Not Debian. Install what these are here: $(PACKAGES)"; exit 1; }; \
	missing=; for package in $(PACKAGES); do \
		case $$(dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null) in \
		installed) ;; *) missing="$$missing $$package" ;; esac; done; \
	[ -n "$$missing" ] || exit 0; \
	as=; [ "$$(id -u)" = 0 ] || as=sudo; \
	for try in 1 2 3 4; do \
		$$as apt-get -q update && $$as env DEBIAN_FRONTEND=noninteractive \
			apt-get -qy install --no-install-recommends $$missing && exit 0; \
		echo "apt-get failed (try $$try)"; sleep $$((try * 3)); done; exit 1

install: programs
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBEXECDIR)/coppice
	install -m 755 $(REAPER) $(CTL) $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(ENGINE) $(DESTDIR)$(LIBEXECDIR)/coppice
	for page in man/*.[1-8]; do section=$${page##*.}; \
		install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$$section/$${page##*/} || exit 1; done
	install -D -m 644 contrib/completions/coppicectl.bash $(DESTDIR)$(BASHDIR)/coppicectl
	install -D -m 644 contrib/completions/_coppicectl $(DESTDIR)$(ZSHDIR)/_coppicectl

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-coverage $(BUILD)-fuzz

# --- rules ----------------------------------------------------------------------------------------------------

# Other flags make another program: what was compiled with the old ones is compiled again.
$(BUILD)/flags: force
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(COMPILE) $(LINK))' | cmp -s - $@ || echo '$(subst ','\'',$(COMPILE) $(LINK))' >$@

# Tests write argv as arrays of literals, which exec takes without const.
$(OBJ)/tests/%.o: LAYER_FLAGS = -Wno-write-strings
$(OBJ)/src/%.o: LAYER_FLAGS = $(STACK_WARNING)
$(OBJ)/src/lib/%.o $(OBJ)/src/config/%.o: LAYER_FLAGS = $(STACK_WARNING) -Wsign-conversion
$(OBJ)/src/core/%.o: LAYER_FLAGS = $(STACK_WARNING) -Wsign-conversion -ffp-contract=off

$(OBJ)/%.o: %.c $(BUILD)/flags | $(WAIT)
	@mkdir -p $(@D)
	$(call say,CC)$(COMPILE) -MMD -MP -c -o $@ $<
$(OBJ)/%.o: %.S $(BUILD)/flags | $(WAIT)
	@mkdir -p $(@D)
	$(call say,CC)$(COMPILE) -MMD -MP -c -o $@ $<

define ARCHIVE
$(BUILD)/lib/$(1).a: $$(OBJECTS_$(1)) | $(WAIT)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR)$$(AR) rcs $$@ $$^
endef
$(foreach layer,$(LAYERS),$(eval $(call ARCHIVE,$(layer))))

$(BUILD)/bin/coppiced: $(OBJECTS_reaper) $(call archive,wire lib)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^
$(BUILD)/bin/coppicectl: $(OBJECTS_ctl) $(call archive,wire lib)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^ $(LIBS_ctl)
$(BUILD)/libexec/coppice/coppice-engine: $(OBJECTS_engine) $(call archive,config core wire lib)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^ $(LIBS_engine)

.SECONDEXPANSION:
$(UNIT): $(BUILD)/tests/unit/%: $(OBJ)/tests/unit/%.o $$(call support,$$(call layer_of,$$*)) \
    $$(call archive,$$(TEST_LAYERS_$$(call layer_of,$$*)))
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka $(LIBS_engine)
# reaper.o has a main of its own; its target includes what it needs of it.
$(FUZZERS): $(BUILD)/tests/fuzz/%: $(OBJ)/tests/fuzz/%.o $(OBJ)/tests/fuzz/fuzz.o $(OBJ)/tests/unit/engine/shell.o \
    $(call archive,engine config core reaper wire lib)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		-lcmocka $(LIBS_engine)
$(SIM): $(SIM_OBJECTS) $(call archive,core lib)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^ -lm
ifdef COVERAGE
MACHINES := $(SIM) $(filter $(BUILD)/tests/unit/core/%,$(UNIT))
$(MACHINES): $(OBJ)/tests/cover/cells.o
$(MACHINES): LDFLAGS += -Wl,--wrap=child_handle -Wl,--wrap=super_handle
endif
$(PLAY): $(PLAY_OBJECTS) $(call archive,core lib)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^ -ljansson -lm
# The measured child has no libc: what is compared is the supervisors. (x86-64)
$(BUILD)/tests/bench/beat: LDFLAGS += -static -no-pie -nostdlib
$(OBJ)/tests/bench/beat.o: CFLAGS += -fno-stack-protector -O2
$(BENCHES): $(BUILD)/tests/bench/%: $(OBJ)/tests/bench/%.o $(call archive,core wire lib)
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^ -lm
$(HELPERS): $(BUILD)/tests/helpers/%: $(OBJ)/tests/helpers/%.o
	@mkdir -p $(@D)
	$(call say,LINK)$(LINK) -o $@ $^

-include $(shell test -d $(OBJ) && find $(OBJ) -name '*.d')
