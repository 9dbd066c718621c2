# The program with its man pages and completions, as packages have them:
#
#	make && sudo make install        below /usr/local
#	make install PREFIX=$HOME/.local
#
# make builds, and needs Go. make install only copies what was built.
PREFIX = /usr/local
DESTDIR =
GO = go
root = $(DESTDIR)$(PREFIX)

.PHONY: build install uninstall
build:
	$(GO) build -o build/bin/ ./cmd/kvault
	rm -rf build/share
	$(GO) run ./internal/manual build/share

install:
	@test -d build/share || { echo "run make first, which builds what is installed" >&2; exit 1; }
	install -d "$(root)/bin" "$(root)/share/man/man1" "$(root)/share/bash-completion/completions" \
		"$(root)/share/zsh/site-functions" "$(root)/share/fish/vendor_completions.d"
	install -m 755 build/bin/kvault "$(root)/bin"
	install -m 644 build/share/man/man1/*.1 "$(root)/share/man/man1"
	install -m 644 build/share/bash-completion/completions/kvault "$(root)/share/bash-completion/completions"
	install -m 644 build/share/zsh/site-functions/_kvault "$(root)/share/zsh/site-functions"
	install -m 644 build/share/fish/vendor_completions.d/kvault.fish "$(root)/share/fish/vendor_completions.d"

uninstall:
	rm -f "$(root)/bin/kvault" "$(root)"/share/man/man1/kvault.1 "$(root)"/share/man/man1/kvault-*.1 \
		"$(root)/share/bash-completion/completions/kvault" "$(root)/share/zsh/site-functions/_kvault" \
		"$(root)/share/fish/vendor_completions.d/kvault.fish"
