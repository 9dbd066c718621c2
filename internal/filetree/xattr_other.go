//go:build !linux && !darwin

package filetree

import "os"

const hasXattrs = false

func keptXattr(string) bool { return true }

func listXattrs(*os.File) ([]string, error) { return nil, XattrsSupported() }

func getXattr(*os.File, string) ([]byte, error) { return nil, XattrsSupported() }

func setXattr(*os.File, string, []byte) error { return XattrsSupported() }
