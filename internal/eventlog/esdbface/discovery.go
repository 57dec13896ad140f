package esdbface

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// version is what clients are told. They read it as three plain integers and
// derive from it what a server can do.
const version = "24.10.5"

type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

func (featuresService) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	const service = "event_store.client.streams.streams"
	out := &serverfeatures.SupportedMethods{EventStoreServerVersion: version}
	for _, name := range []string{"read", "append", "batchappend", "tombstone"} {
		out.Methods = append(out.Methods, &serverfeatures.SupportedMethod{ServiceName: service, MethodName: name})
	}
	return out, nil
}

// gossipService presents the face as a cluster of one leader.
type gossipService struct {
	gossip.UnimplementedGossipServer
	advertise string
	instance  uuid.UUID
}

func newGossipService(advertise string) *gossipService {
	return &gossipService{advertise: advertise, instance: uuid.New()}
}

func (g *gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
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
