# twofactor: what a person and the CI run. `make` lists the targets.

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DESTDIR ?=
# Where libpam looks for modules: where pam_unix.so is. Multiarch on Debian, lib64 on Fedora.
PAMDIR ?= $(patsubst %/,%,$(dir $(firstword $(wildcard $(addsuffix /security/pam_unix.so, \
    /lib/$(shell uname -m)-linux-gnu /usr/lib64 /lib/*-linux-gnu* /usr/lib /lib)))))
CARGO ?= cargo

.PHONY: help build demo demo-enroll demo-invite demo-register demo-grace demo-token demo-built test bench lint install uninstall clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

build: ## Build the module and the tool, in release
	# One after the other: together they would share features, and the module would get the tool's seed-file reader.
	$(CARGO) build --release --locked -p pam_twofactor
	$(CARGO) build --release --locked -p twofactor-cli

demo: demo-built ## Log in for real inside private namespaces: enroll, ssh with password and code, replay refused
	target/release/demo

demo-enroll: demo-built ## The same for a first login: the QR code in the ssh window, recovery codes, the next login
	target/release/demo enroll

demo-invite: demo-built ## The same with an invitation, without which a stolen password sets up nothing
	target/release/demo invite

demo-register: demo-built ## The same with a fob out of the box: its serial and two codes
	target/release/demo register

demo-grace: demo-built ## Log in before a second factor is required, with one, and again within the hour
	target/release/demo grace

demo-token: demo-built ## The same for a fob: the vendor's encrypted zip imported, a fob assigned, ssh, replay refused
	target/release/demo token

demo-built:
	tests/install-packages
	$(MAKE) --no-print-directory build
	$(CARGO) build --release --locked -p twofactor-tests --bins

test: ## Run everything: unit, stories, libpam, cli, sshd, console (as root; else the system suites say "skipped")
	tests/install-packages || [ "$$(id -u)" -ne 0 ]
	$(CARGO) test --locked --workspace

bench: ## Compare a login with those of the peers, and measure a registry of a million tokens
	tests/install-packages bench
	$(MAKE) --no-print-directory build
	$(CARGO) build --release --locked -p twofactor-tests --bins
	target/release/bench

lint: ## Check formatting, lints and documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

install: ## Install the built module, tool and manual pages (DESTDIR, PREFIX, PAMDIR)
	@test -f target/release/libpam_twofactor.so || { echo 'run "make build" first' >&2; exit 1; }
	@test -n "$(PAMDIR)" || { echo 'no folder of PAM modules found; set PAMDIR' >&2; exit 1; }
	install -d $(DESTDIR)$(PAMDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8
	install -m 0644 target/release/libpam_twofactor.so $(DESTDIR)$(PAMDIR)/pam_twofactor.so.new
	mv -f $(DESTDIR)$(PAMDIR)/pam_twofactor.so.new $(DESTDIR)$(PAMDIR)/pam_twofactor.so
	install -m 0755 target/release/twofactor $(DESTDIR)$(SBINDIR)/twofactor
	install -m 0644 man/twofactor.toml.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 0644 man/twofactor.8 man/pam_twofactor.8 $(DESTDIR)$(MANDIR)/man8/
	install -d -m 0755 $(DESTDIR)/etc/twofactor
	test -e $(DESTDIR)/etc/twofactor/twofactor.toml || \
	    install -m 0644 etc/twofactor.toml $(DESTDIR)/etc/twofactor/twofactor.toml
	install -d -m 0700 $(DESTDIR)/var/lib/twofactor $(DESTDIR)/var/lib/twofactor/users

uninstall: ## Remove what install put there; refuses while a PAM service still names the module
	@if grep -ls '^[^#]*pam_twofactor' $(DESTDIR)/etc/pam.d/*; then \
	    echo 'the files above still use pam_twofactor.so: take it out of them first' >&2; exit 1; fi
	rm -f $(DESTDIR)$(PAMDIR)/pam_twofactor.so $(DESTDIR)$(SBINDIR)/twofactor
	rm -f $(DESTDIR)$(MANDIR)/man5/twofactor.toml.5
	rm -f $(DESTDIR)$(MANDIR)/man8/twofactor.8 $(DESTDIR)$(MANDIR)/man8/pam_twofactor.8
	@echo 'kept: $(DESTDIR)/etc/twofactor and $(DESTDIR)/var/lib/twofactor'

clean: ## Remove what was built
	$(CARGO) clean
