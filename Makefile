# SPDX-License-Identifier: GPL-2.0
#
# Builds kmod/ufunc.ko, out of kmod/ufunc.rs and the kmod/gen.rs that ufunc-gen wrote.
#
#   make                        for the running kernel
#   make KDIR=TREE              for the kernel whose prepared tree is TREE
#   make modules_install
#   make rust-analyzer          rust-project.json for editors

KDIR ?= /lib/modules/$(shell uname -r)/build

# The module brings its own BTF. Left to itself, a tree with a vmlinux would have pahole replace it
# by one that leaves Rust's types out.
KBUILD = $(MAKE) -C $(KDIR) M=$(CURDIR) CONFIG_DEBUG_INFO_BTF_MODULES=

modules: kmod/gen.rs
	@test -s kmod/gen.rs || { echo "kmod/gen.rs is empty: ufunc-gen failed, see what it said" >&2; exit 1; }
	$(KBUILD) modules

modules_install rust-analyzer: kmod/gen.rs
	$(KBUILD) $@

# kbuild's own clean would remove every object and assembly file below, the workspace's too.
clean:
	rm -f kmod/*.o kmod/*.ko kmod/*.mod kmod/*.mod.c kmod/.*.cmd
	rm -f .*.cmd .module-common.o Module.symvers modules.order rust-project.json

help:
	$(KBUILD) $@

kmod/gen.rs:
	@echo "$@ is missing; generate it first: ufunc-gen ./app > $@" >&2; exit 1

.PHONY: modules modules_install rust-analyzer clean help
