package esdbface

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// guard stands before every call: it checks credentials and turns a panic in a
// handler into an Internal error, so that one bad call can't end the process.
type guard struct {
	logger *slog.Logger
	open   bool              // no credentials were configured
	want   [sha256.Size]byte // digest of "user:password"
}

func newGuard(user, password string, logger *slog.Logger) *guard {
	return &guard{logger: logger, open: user == "", want: sha256.Sum256([]byte(user + ":" + password))}
}

func (g *guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	if err := g.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	defer g.recover(info.FullMethod, &err)
	return next(ctx, req)
}

func (g *guard) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	if err := g.admit(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	defer g.recover(info.FullMethod, &err)
	return next(srv, ss)
}

func (g *guard) recover(method string, err *error) {
	if caught := recover(); caught != nil {
		g.logger.Error("esdbface: panic in a handler", "method", method, "panic", caught, "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "the server failed on this call; its log has the details")
	}
}

// admit checks basic auth. Discovery is open, as on a real server: clients ask
// for features and members before they present credentials.
func (g *guard) admit(ctx context.Context, method string) error {
	if g.open || method == serverfeatures.ServerFeatures_GetSupportedMethods_FullMethodName ||
		method == gossip.Gossip_Read_FullMethodName {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
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
