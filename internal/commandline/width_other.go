//go:build !unix

package commandline

import "os"

func terminalColumns(*os.File) int { return 0 }
