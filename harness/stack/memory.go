package stack

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// residentMemory is the name of a process's metric of its memory, in bytes.
const residentMemory = "process_resident_memory_bytes "

// Memory returns the resident memory of a process, in bytes. admin is the URL of its
// health and metrics.
func Memory(ctx context.Context, admin string) (size int64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if text, found := strings.CutPrefix(lines.Text(), residentMemory); found {
			found, err := strconv.ParseFloat(text, 64) //nolint:forbidigo // memory, not an amount
			return int64(found), err
		}
	}
	return 0, errors.Join(lines.Err(), errors.New("the process does not tell its memory on this system"))
}
