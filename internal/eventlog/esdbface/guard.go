package esdbface

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// guard stands before every call: it checks credentials, before anything of
// the call but its headers is read, and turns a panic in a handler into an
// Internal error, so that one bad call can't end the process.
type guard struct {
	logger *slog.Logger
	open   bool              // no credentials were configured
	want   [sha256.Size]byte // digest of "user:password"
}

func newGuard(user, password string, logger *slog.Logger) *guard {
	return &guard{logger: logger, open: user == "", want: sha256.Sum256([]byte(user + ":" + password))}
}

// tap sees a call's headers. It runs where the connection is read, which ends
// a refused call without a buffer or a goroutine for it.
func (g *guard) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	return ctx, g.admit(info.Header, info.FullMethodName)
}

func (g *guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer g.recover(info.FullMethod, &err)
	return next(ctx, req)
}

func (g *guard) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer g.recover(info.FullMethod, &err)
	return next(srv, ss)
}

func (g *guard) recover(method string, err *error) {
	if caught := recover(); caught != nil {
		g.logger.Error("esdbface: panic in a handler", "method", method, panicked(caught))
		*err = status.Error(codes.Internal, "the server failed on this call; its log has the details")
	}
}

// panicked is what may be logged of a panic: its value may hold what a client
// sent, so only its type, and where it happened.
func panicked(caught any) slog.Attr {
	return slog.Group("panic", "type", fmt.Sprintf("%T", caught), "stack", string(debug.Stack()))
}

// admit checks basic auth. Discovery is open, as on a real server: clients ask
// for features and members before they present credentials.
func (g *guard) admit(md metadata.MD, method string) error {
	if g.open || method == serverfeatures.ServerFeatures_GetSupportedMethods_FullMethodName ||
		method == gossip.Gossip_Read_FullMethodName {
		return nil
	}
	for _, header := range md.Get("authorization") {
		if g.knows(header) {
			return nil
		}
	}
	return status.Error(codes.Unauthenticated, "send this server's user name and password as basic auth, over TLS")
}

// knows compares digests of equal length, so that time tells nothing about how
// much of a guess was right.
func (g *guard) knows(header string) bool {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "basic") {
		return false
	}
	given, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	digest := sha256.Sum256(given)
	return subtle.ConstantTimeCompare(digest[:], g.want[:]) == 1
}
