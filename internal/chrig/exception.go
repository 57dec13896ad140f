package chrig

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// Codes of ClickHouse for what the rig itself refuses.
const (
	codeNoSuchColumn   = 16
	codeNotImplemented = 48
	codeUnknownSetting = 115
	codeUnknown        = 1002
)

// Exception is an error as ClickHouse reports it to clients.
type Exception struct {
	Code    int
	Name    string // of the C++ class: DB::Exception
	Message string
}

func (e *Exception) Error() string { return fmt.Sprintf("Code: %d. %s: %s", e.Code, e.Name, e.Message) }

// refuse is an exception of the rig's own.
func refuse(code int, format string, args ...any) *Exception {
	return &Exception{Code: code, Name: "DB::Exception", Message: fmt.Sprintf(format, args...)}
}

// asException finds the code in the engine's text. An error of the rig's own
// becomes UNKNOWN_EXCEPTION.
func asException(err error) *Exception {
	if e, ok := errors.AsType[*Exception](err); ok {
		return e
	}
	text := regexp.MustCompile(`(?s)^Code: (\d+)\. (\w+::\w+): (.*)$`).FindStringSubmatch(err.Error())
	if text == nil {
		return refuse(codeUnknown, "%v", err)
	}
	code, err := strconv.Atoi(text[1])
	if err != nil {
		code = codeUnknown
	}
	return &Exception{Code: code, Name: text[2], Message: text[3]}
}
