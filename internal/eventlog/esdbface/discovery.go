package esdbface

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// version is what clients are told. They read it as three plain integers and
// derive from it what a server can do.
const version = "24.10.5"

// registerDiscovery adds the two calls that need no credentials. Neither's
// request says anything, so none is read, whatever is sent: to grpc they are
// streams that the server ends, which looks the same to clients.
func registerDiscovery(server *grpc.Server, advertise string) {
	g := newGossipService(advertise)
	server.RegisterService(wordless(serverfeatures.ServerFeatures_ServiceDesc.ServiceName, "GetSupportedMethods",
		func(context.Context) (proto.Message, error) { return supportedMethods(), nil }), nil)
	server.RegisterService(wordless(gossip.Gossip_ServiceDesc.ServiceName, "Read",
		func(ctx context.Context) (proto.Message, error) { return g.members(ctx) }), nil)
}

// wordless describes a service with one call that is answered unheard.
func wordless(service, method string, answer func(context.Context) (proto.Message, error)) *grpc.ServiceDesc {
	handle := func(_ any, ss grpc.ServerStream) error {
		message, err := answer(ss.Context())
		if err != nil {
			return err
		}
		return ss.SendMsg(message)
	}
	return &grpc.ServiceDesc{ServiceName: service, Streams: []grpc.StreamDesc{{StreamName: method, Handler: handle, ClientStreams: true}}}
}

func supportedMethods() *serverfeatures.SupportedMethods {
	const service = "event_store.client.streams.streams"
	out := &serverfeatures.SupportedMethods{EventStoreServerVersion: version}
	for _, name := range []string{"read", "append", "batchappend", "tombstone"} {
		out.Methods = append(out.Methods, &serverfeatures.SupportedMethod{ServiceName: service, MethodName: name})
	}
	return out
}

// gossipService presents the face as a cluster of one leader.
type gossipService struct {
	advertise string
	instance  uuid.UUID
}

func newGossipService(advertise string) *gossipService {
	return &gossipService{advertise: advertise, instance: uuid.New()}
}

func (g *gossipService) members(ctx context.Context) (*gossip.ClusterInfo, error) {
	address := g.advertise
	if address == "" {
		if p, ok := peer.FromContext(ctx); ok && p.LocalAddr != nil {
			address = p.LocalAddr.String()
		}
	}
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "this server can't tell its address (%q): set one to advertise", address)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "this server advertises a port that is no number (%q)", portText)
	}
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId:   structured(g.instance),
		TimeStamp:    time.Now().UnixNano() / 100,
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(port)},
	}}}, nil
}
