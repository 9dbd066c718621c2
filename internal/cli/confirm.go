package cli

import (
	"bufio"
	"context"
	"errors"
	"strings"
)

// confirm asks a question on the terminal and fails unless the answer is yes: with refused, or with a
// hint to --yes, which is to do something, where there is no terminal.
func (a *app) confirm(ctx context.Context, command, question, do, refused string) error {
	if err := a.needTerminal(command, do); err != nil {
		return err
	}
	a.tell("%s [y/N] ", question)
	in := a.stdin(ctx)
	defer in.Close()
	answer, err := bufio.NewReader(in).ReadString('\n')
	if ctx.Err() != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New(refused)
}

// needTerminal fails with a hint to --yes, which is to do something, where there is no terminal to
// ask on.
func (a *app) needTerminal(command, do string) error {
	if a.terminal(a.sys.In) && a.terminal(a.sys.Err) {
		return nil
	}
	return usagef("%s: there is no terminal to ask on; pass --yes to %s", command, do)
}
