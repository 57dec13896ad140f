package crypto

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/clawoffice/ledger/domain"
)

// A record's payload is about this long.
func benchPayload() []byte { return bytes.Repeat([]byte("x"), 450) }

func BenchmarkSign(b *testing.B) {
	s, v := testPair(b)
	payload := benchPayload()
	dst := make([]byte, 0, 2048)
	input := s.SigningInput(nil, payload)
	token := s.Sign(nil, payload)
	signature := ed25519.Sign(s.key, input)
	public := s.key.Public().(ed25519.PublicKey)
	b.Run("raw ed25519", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ed25519.Sign(s.key, input)
		}
	})
	b.Run("Sign", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Sign(dst, payload)
		}
	})
	b.Run("SigningInput", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.SigningInput(dst, payload)
		}
	})
	b.Run("raw ed25519 verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !ed25519.Verify(public, input, signature) {
				b.Fatal("does not verify")
			}
		}
	})
	b.Run("Verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := v.Verify(token, RecordTyp); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ParseUnverified", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := ParseUnverified(token); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSigningOverhead tells what Sign costs beside ed25519.Sign of the same
// bytes. Both are timed in turns, call by call, and compared by their medians:
// run one after the other on a busy machine, either may come out ahead.
func BenchmarkSigningOverhead(b *testing.B) {
	s, _ := testPair(b)
	payload, dst := benchPayload(), make([]byte, 0, 2048)
	input := s.SigningInput(nil, payload)
	var raw, whole []time.Duration
	timed := func(f func()) time.Duration {
		start := time.Now()
		f()
		return time.Since(start)
	}
	rawSign := func() { ed25519.Sign(s.key, input) }
	sign := func() { s.Sign(dst, payload) }
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 { // neither always goes first
			raw, whole = append(raw, timed(rawSign)), append(whole, timed(sign))
		} else {
			whole, raw = append(whole, timed(sign)), append(raw, timed(rawSign))
		}
	}
	slices.Sort(raw)
	slices.Sort(whole)
	rawMedian, median := raw[len(raw)/2], whole[len(whole)/2]
	b.ReportMetric(float64(rawMedian), "raw-ns")
	b.ReportMetric(float64(median), "sign-ns")
	b.ReportMetric(float64(median)/float64(rawMedian), "ratio")
}

func BenchmarkSeal(b *testing.B) {
	k := testDataKey(b)
	for _, size := range []int{300, 4 << 10, 256 << 10} {
		plaintext := bytes.Repeat([]byte("the quick brown fox "), size/20)
		ad := benchPayload()
		sealed, err := k.Seal(nil, plaintext, ad)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("Seal/", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := k.Seal(nil, plaintext, ad); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("Open/", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := k.Open(sealed, ad); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKeyRing(b *testing.B) {
	in := newInstall(b)
	r, err := NewKeyRing(in.kek, in.secret, in.store, RingOptions{})
	if err != nil {
		b.Fatal(err)
	}
	id := current(b, r, "acme", "").ID()
	b.Run("Current", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := r.Current(b.Context(), "acme", ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("ByID", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := r.ByID(b.Context(), "acme", id); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	n := 0 // outlives the repetitions of -count, or they would find the keys in memory
	b.Run("first Current of a subject", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n++
			if _, err := r.Current(b.Context(), "acme", domain.SubjectTag(fmt.Sprint(n))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDerive(b *testing.B) {
	s := testSecret(b)
	actor := domain.AgentActor("ag_aaaaaaaaaaaaaaaaaaaaaaaaaa")
	cmd := s.CommandID("acme", actor, "POST", "/v1/workspaces/acme/executions", "7f0c8a52-6a55-4e0f-8b3e-3c1d5f6a7b8c")
	body := bytes.Repeat([]byte("x"), 1024)
	token, _ := NewToken(CredentialToken)
	params := []byte(`{"amount":"12.50","currency":"EUR","to":{"iban":"DE00","name":"ACME"},"lines":[{"n":1,"text":"x"}]}`)
	for _, bench := range []struct {
		name string
		f    func()
	}{
		{"CommandID", func() {
			s.CommandID("acme", actor, "POST", "/v1/workspaces/acme/executions", "7f0c8a52-6a55-4e0f-8b3e-3c1d5f6a7b8c")
		}},
		{"DeriveID", func() { s.DeriveID("ex_", cmd, 0) }},
		{"EventID", func() { s.EventID(cmd, 0) }},
		{"BodyMAC 1 KiB", func() { s.BodyMAC(body) }},
		{"SubjectTag", func() { s.SubjectTag("acme", "ada@example.org") }},
		{"Digest 1 KiB", func() { Digest(body) }},
		{"TokenHash", func() { TokenHash(token) }},
		{"ActionDigest", func() {
			if _, err := ActionDigest("acme", "ex_1", "payment.initiate", params, "invoices", 1); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bench.f()
			}
		})
	}
}
