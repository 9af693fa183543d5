# twofactor: what a person and the CI run. `make` lists the targets.

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/twofactor
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
DESTDIR ?=
# Where libpam looks for modules: where pam_unix.so is. Multiarch on Debian, lib64 on Fedora.
PAMDIR ?= $(patsubst %/,%,$(dir $(firstword $(wildcard $(addsuffix /security/pam_unix.so, \
    /lib/$(shell uname -m)-linux-gnu /usr/lib64 /lib/*-linux-gnu* /usr/lib /lib)))))
CARGO ?= cargo
# The same for everything in release: with other flags cargo would build the crates again.
RELEASE = CARGO="$(CARGO)" packaging/cargo
# Where cargo builds: CARGO_TARGET_DIR, build.target-dir of a configuration, or target. Looked up once, by the targets that
# need it. "sudo make install" may find no cargo.
TARGET = $(eval TARGET := $(or $(shell $(CARGO) metadata --format-version 1 --no-deps --offline 2>/dev/null | \
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'),target))$(TARGET)

.PHONY: help build demo demo-enroll demo-invite demo-register demo-grace demo-token demo-ssh-key demo-fleet demo-built test vm-test torture
.PHONY: guessing reproducible bench bench-fleet fleet-histories lint
.PHONY: install install-link install-server uninstall deb clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

build: ## Build the module, the tool and the broker, and the programs of a fleet, in release
	# The module by itself: packaging/cargo says why.
	$(RELEASE) build --release --locked -p pam_twofactor
	$(RELEASE) build --release --locked -p twofactor-cli -p twofactord
	$(RELEASE) build --release --locked -p twofactor-server -p twofactor-link

demo: demo-built ## Log in for real inside private namespaces: enroll, ssh with password and code, replay refused
	$(TARGET)/release/demo

demo-enroll: demo-built ## The same for a first login: the QR code in the ssh window, recovery codes, the next login
	$(TARGET)/release/demo enroll

demo-invite: demo-built ## The same with an invitation, without which a stolen password sets up nothing
	$(TARGET)/release/demo invite

demo-register: demo-built ## The same with a token out of the box: its serial and two codes
	$(TARGET)/release/demo register

demo-grace: demo-built ## Log in before a second factor is required, with one, and again within the hour
	$(TARGET)/release/demo grace

demo-token: demo-built ## The same for a token: the vendor's encrypted zip imported, a token assigned, ssh, replay refused
	$(TARGET)/release/demo token

demo-ssh-key: demo-built ## The same for an ssh key in a security key: a touch and no code, and an unknown key asked
	$(TARGET)/release/demo ssh-key

demo-fleet: ## The same for a fleet: PostgreSQL, two servers, three hosts; one account, one code, a server and the database gone
	tests/install-packages
	$(MAKE) --no-print-directory demo-built
	$(TARGET)/release/demo fleet

demo-built:
	tests/install-packages demo
	$(MAKE) --no-print-directory build
	$(RELEASE) build --release --locked -p twofactor-tests --bins

test: ## Run everything: unit, stories, libpam, cli, sshd, console (as root; else the system suites say "skipped")
	tests/install-packages || [ "$$(id -u)" -ne 0 ]
	CARGO="$(CARGO)" tests/run

vm-test: ## Boot Debians in QEMU with the packages: a console with password and code, the units, a fleet of two
	tests/install-packages vm
	$(CARGO) run --locked -p twofactor-tests --bin vm-test

MINUTES ?= 20
torture: ## Failing calls, kills, stops, races, jumping clocks, damaged PAM files: one table (MINUTES=20)
	tests/install-packages
	$(MAKE) --no-print-directory build
	$(RELEASE) build --release --locked -p twofactor-tests --bins
	$(TARGET)/release/torture --minutes $(MINUTES)

guessing: ## How many guesses a day the throttle looks at, from where, however often the user logs in
	$(RELEASE) run --release --locked -p twofactor-tests --bin guessing

reproducible: ## Build the packages here and from another folder, cargo home and home: the same to the byte
	tests/install-packages
	tests/reproducible

bench: ## Compare a login with those of the peers; measure a million tokens, their backup, moving in, and the broker
	tests/install-packages bench
	$(MAKE) --no-print-directory build
	$(RELEASE) build --release --locked -p twofactor-tests --bins
	$(TARGET)/release/bench

HISTORIES ?= 100000
fleet-histories: ## Random histories of accounts in files and in PostgreSQL, compared after each deed (HISTORIES=100000: a quarter of an hour)
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 HISTORIES=$(HISTORIES) \
		$(CARGO) test --locked --release --test fleet histories -- --nocapture

bench-fleet: ## Logins of a fleet: PostgreSQL, two servers, four hosts and their users on this machine
	tests/install-packages bench
	$(MAKE) --no-print-directory build
	$(RELEASE) build --release --locked -p twofactor-tests --bins
	$(TARGET)/release/bench fleet

.PHONY: docs
docs: ## Render the documents as a book into target/docs, with mdBook from crates.io, and check its links
	CARGO="$(CARGO)" packaging/docs/render $(TARGET)
	$(CARGO) run --locked --quiet -p twofactor-tests --bin book-links -- $(TARGET)/docs

.PHONY: pictures
pictures: ## Draw the pictures of the documents anew: a real login at a terminal, and the course of a login
	tests/install-packages demo
	$(CARGO) run --locked --quiet -p twofactor-tests --bin pictures

lint: ## Check formatting, lints and documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

# What install puts below DESTDIR and uninstall removes, apart from configuration and state.
# The documents stand as in the sources, so that their links lead somewhere.
DOCUMENTS = README.md SECURITY.md CHANGELOG.md docs/json.md \
    $(wildcard docs/guide/*.md docs/security/*.md docs/schemas/*.json docs/pictures/*.svg)
EXAMPLES = $(wildcard etc/pam.d/*.example) etc/ssh/sshd_config.d/twofactor.conf etc/fail2ban/jail.d/twofactor.conf \
    etc/systemd/system/twofactor-backup.service etc/systemd/system/twofactor-backup.timer
# What fail2ban counts, and the broker's units.
FILTERS = etc/fail2ban/filter.d/twofactor.conf
UNITS = etc/systemd/system/twofactord.socket etc/systemd/system/twofactord.service
# The programs of a fleet have packages of their own, with a page and units each.
PAGES = $(filter-out man/twofactor-link.8 man/twofactor-server.8,$(wildcard man/*.8))
LINK = $(wildcard etc/systemd/system/twofactor-link*)
SERVER = etc/systemd/system/twofactor-server.service
OF_LINK = $(SBINDIR)/twofactor-link $(MANDIR)/man8/twofactor-link.8 $(patsubst etc/systemd/system/%,$(UNITDIR)/%,$(LINK))
OF_SERVER = $(SBINDIR)/twofactor-server $(MANDIR)/man8/twofactor-server.8 $(SYSUSERSDIR)/twofactor-server.conf \
    $(patsubst etc/systemd/system/%,$(UNITDIR)/%,$(SERVER))
INSTALLED = $(PAMDIR)/pam_twofactor.so $(SBINDIR)/twofactor $(SBINDIR)/twofactord $(TMPFILESDIR)/twofactor.conf \
    $(patsubst man/%,$(MANDIR)/man5/%,$(wildcard man/*.5)) $(patsubst man/%,$(MANDIR)/man8/%,$(PAGES)) \
    $(BASHDIR)/twofactor $(ZSHDIR)/_twofactor $(FISHDIR)/twofactor.fish \
    $(addprefix $(DOCDIR)/,$(DOCUMENTS)) $(patsubst etc/%,$(DOCDIR)/examples/%,$(EXAMPLES)) \
    $(addprefix /,$(FILTERS)) $(patsubst etc/systemd/system/%,$(UNITDIR)/%,$(UNITS))
# Folders that are ours alone, the inner ones first: they go when they are empty.
OWN_FOLDERS = $(addprefix $(DOCDIR)/,examples/pam.d examples/ssh/sshd_config.d examples/ssh \
    examples/fail2ban/jail.d examples/fail2ban examples/systemd/system examples/systemd examples docs/guide docs/security docs/schemas docs/pictures docs) $(DOCDIR)
# Where libpam looks for services.
SERVICES = /etc/pam.conf /etc/pam.d/* /usr/lib/pam.d/* /usr/etc/pam.d/*

install: ## Install what was built, for the host or below DESTDIR (PREFIX, PAMDIR)
	@test -f $(TARGET)/release/libpam_twofactor.so || { echo 'run "make build" first' >&2; exit 1; }
	@test -n "$(PAMDIR)" || { echo 'no folder of PAM modules found; set PAMDIR' >&2; exit 1; }
	install -d $(addprefix $(DESTDIR),$(sort $(dir $(INSTALLED))))
	# The module by rename: a login that is under way keeps the file it has mapped.
	install -m 0644 $(TARGET)/release/libpam_twofactor.so $(DESTDIR)$(PAMDIR)/pam_twofactor.so.new
	mv -f $(DESTDIR)$(PAMDIR)/pam_twofactor.so.new $(DESTDIR)$(PAMDIR)/pam_twofactor.so
	install -m 0755 $(TARGET)/release/twofactor $(TARGET)/release/twofactord $(DESTDIR)$(SBINDIR)/
	install -m 0644 man/*.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 0644 $(PAGES) $(DESTDIR)$(MANDIR)/man8/
	$(TARGET)/release/twofactor completions bash >$(DESTDIR)$(BASHDIR)/twofactor
	$(TARGET)/release/twofactor completions zsh >$(DESTDIR)$(ZSHDIR)/_twofactor
	$(TARGET)/release/twofactor completions fish >$(DESTDIR)$(FISHDIR)/twofactor.fish
	chmod 0644 $(DESTDIR)$(BASHDIR)/twofactor $(DESTDIR)$(ZSHDIR)/_twofactor $(DESTDIR)$(FISHDIR)/twofactor.fish
	install -m 0644 etc/tmpfiles.d/twofactor.conf $(DESTDIR)$(TMPFILESDIR)/
	for file in $(DOCUMENTS); do install -m 0644 $$file $(DESTDIR)$(DOCDIR)/$$file || exit 1; done
	for file in $(EXAMPLES); do \
	    install -m 0644 $$file $(DESTDIR)$(DOCDIR)/examples/$${file#etc/} || exit 1; done
	for file in $(FILTERS); do install -m 0644 $$file $(DESTDIR)/$$file || exit 1; done
	for file in $(UNITS); do \
	    install -m 0644 $$file $(DESTDIR)$(UNITDIR)/$${file#etc/systemd/system/} || exit 1; done
	sed -i 's|@SBINDIR@|$(SBINDIR)|' $(DESTDIR)$(UNITDIR)/twofactord.service
	install -d -m 0755 $(DESTDIR)/etc/twofactor
	test -e $(DESTDIR)/etc/twofactor/twofactor.toml || \
	    install -m 0644 etc/twofactor.toml $(DESTDIR)/etc/twofactor/twofactor.toml
	install -d -m 0700 $(DESTDIR)/var/lib/twofactor
	# What an older version kept elsewhere. On this host alone, and no reason to fail: "twofactor doctor" names it.
	test -n "$(DESTDIR)" || $(SBINDIR)/twofactor --quiet migrate || true

install-link: ## Install the link of a fleet's host, beside what install has put there
	install -d $(addprefix $(DESTDIR),$(sort $(dir $(OF_LINK))))
	install -m 0755 $(TARGET)/release/twofactor-link $(DESTDIR)$(SBINDIR)/
	install -m 0644 man/twofactor-link.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 $(LINK) $(DESTDIR)$(UNITDIR)/
	sed -i 's|@SBINDIR@|$(SBINDIR)|' $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(LINK)))

install-server: ## Install the central store of a fleet, beside what install has put there
	install -d $(addprefix $(DESTDIR),$(sort $(dir $(OF_SERVER))))
	install -m 0755 $(TARGET)/release/twofactor-server $(DESTDIR)$(SBINDIR)/
	install -m 0644 man/twofactor-server.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 etc/sysusers.d/twofactor-server.conf $(DESTDIR)$(SYSUSERSDIR)/
	install -m 0644 $(SERVER) $(DESTDIR)$(UNITDIR)/
	sed -i 's|@SBINDIR@|$(SBINDIR)|' $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(SERVER)))

uninstall: ## Remove what install put there; refuses while a PAM service still names the module
	@test -n "$(PAMDIR)" || { echo 'no folder of PAM modules found; set PAMDIR' >&2; exit 1; }
	@services=$$(grep -ls '^[^#]*pam_twofactor' $(addprefix $(DESTDIR),$(SERVICES))); \
	if [ -n "$$services" ]; then echo "$$services"; \
	    echo 'the files above still use pam_twofactor.so: take it out of them first' >&2; exit 1; fi
	rm -f $(addprefix $(DESTDIR),$(INSTALLED) $(OF_LINK) $(OF_SERVER))
	for folder in $(addprefix $(DESTDIR),$(OWN_FOLDERS)); do \
	    test ! -d $$folder || rmdir --ignore-fail-on-non-empty $$folder || exit 1; done
	@echo 'kept: $(DESTDIR)/etc/twofactor and $(DESTDIR)/var/lib/twofactor'

deb: ## Build the Debian packages into target/deb
	packaging/deb/build

.PHONY: rpm
rpm: ## Build the rpm packages into target/rpm
	packaging/rpm/build

clean: ## Remove what was built
	$(CARGO) clean
