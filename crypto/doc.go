// Package crypto is everything the ledger does with keys: it signs records and
// permits, checks signatures, seals payloads, keeps data keys, derives ids and
// keyed tags, and makes bearer tokens.
//
// Other packages import it as ledgercrypto. It knows the vocabulary of package
// domain and nothing else of the ledger; it logs nothing, and its types that
// hold secrets print as "[redacted …]" whatever way they are printed.
//
// Signatures are Ed25519 as compact JWS (jwx), sealing is AES-256-GCM in Tink
// keysets, tags are HMAC-SHA256 under one service secret. What is on disk is in
// [Dir]; what is in the log is a wrapped keyset per data key, behind [KeyStore].
package crypto
