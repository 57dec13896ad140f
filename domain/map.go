package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
)

// Map is an ordered map whose changes leave the old map valid: Set and Delete
// answer a new Map that shares all but a path with the old one, in O(log n).
// A State holds its large collections in Maps so that Evolve stays cheap on
// streams with many thousands of members. The zero Map is empty.
type Map[K ~string, V any] struct {
	root *node[K, V]
}

// node is one entry of an AVL tree. Nodes are never changed once shared.
type node[K ~string, V any] struct {
	key         K
	value       V
	left, right *node[K, V]
	height      int
	size        int
}

// Len is the number of entries.
func (m Map[K, V]) Len() int { return size(m.root) }

// Get answers the value at key and whether there is one.
func (m Map[K, V]) Get(key K) (V, bool) {
	for n := m.root; n != nil; {
		switch {
		case key < n.key:
			n = n.left
		case key > n.key:
			n = n.right
		default:
			return n.value, true
		}
	}
	var none V
	return none, false
}

// Has reports whether key has a value.
func (m Map[K, V]) Has(key K) bool {
	_, ok := m.Get(key)
	return ok
}

// Set answers a Map in which key has value.
func (m Map[K, V]) Set(key K, value V) Map[K, V] { return Map[K, V]{insert(m.root, key, value)} }

// Delete answers a Map without key.
func (m Map[K, V]) Delete(key K) Map[K, V] {
	if !m.Has(key) {
		return m
	}
	return Map[K, V]{remove(m.root, key)}
}

// Min answers the smallest key and its value; ok is false for an empty Map.
func (m Map[K, V]) Min() (key K, value V, ok bool) {
	n := m.root
	if n == nil {
		return key, value, false
	}
	for n.left != nil {
		n = n.left
	}
	return n.key, n.value, true
}

// All iterates in order of keys.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { walk(m.root, yield) }
}

// Keys lists the keys in order.
func (m Map[K, V]) Keys() []K {
	keys := make([]K, 0, m.Len())
	for k := range m.All() {
		keys = append(keys, k)
	}
	return keys
}

// Equal compares by entries, not by the shape of the tree; go-cmp uses it.
func (m Map[K, V]) Equal(o Map[K, V]) bool {
	a, errA := json.Marshal(m)
	b, errB := json.Marshal(o)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// MarshalJSON writes an object with its members in order of keys.
func (m Map[K, V]) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for k, v := range m.All() {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(string(k))
		if err != nil {
			return nil, fmt.Errorf("marshalling key: %w", err)
		}
		value, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("marshalling the value of %q: %w", k, err)
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Map[K, V]) UnmarshalJSON(data []byte) error {
	var entries map[K]V
	if err := json.Unmarshal(data, &entries); err != nil {
		return err
	}
	keys := make([]K, 0, len(entries))
	for k := range entries {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	m.root = build(keys, entries)
	return nil
}

// build makes a balanced tree of sorted keys.
func build[K ~string, V any](keys []K, entries map[K]V) *node[K, V] {
	if len(keys) == 0 {
		return nil
	}
	mid := len(keys) / 2
	return join(keys[mid], entries[keys[mid]], build(keys[:mid], entries), build(keys[mid+1:], entries))
}

func size[K ~string, V any](n *node[K, V]) int {
	if n == nil {
		return 0
	}
	return n.size
}

func height[K ~string, V any](n *node[K, V]) int {
	if n == nil {
		return 0
	}
	return n.height
}

func walk[K ~string, V any](n *node[K, V], yield func(K, V) bool) bool {
	return n == nil || walk(n.left, yield) && yield(n.key, n.value) && walk(n.right, yield)
}

// join makes a node of two trees whose heights differ by at most one.
func join[K ~string, V any](key K, value V, left, right *node[K, V]) *node[K, V] {
	return &node[K, V]{key, value, left, right, 1 + max(height(left), height(right)), 1 + size(left) + size(right)}
}

// balance makes a node of two trees whose heights differ by at most two.
func balance[K ~string, V any](key K, value V, left, right *node[K, V]) *node[K, V] {
	switch {
	case height(left) > height(right)+1:
		if height(left.left) >= height(left.right) {
			return join(left.key, left.value, left.left, join(key, value, left.right, right))
		}
		mid := left.right
		return join(mid.key, mid.value, join(left.key, left.value, left.left, mid.left), join(key, value, mid.right, right))
	case height(right) > height(left)+1:
		if height(right.right) >= height(right.left) {
			return join(right.key, right.value, join(key, value, left, right.left), right.right)
		}
		mid := right.left
		return join(mid.key, mid.value, join(key, value, left, mid.left), join(right.key, right.value, mid.right, right.right))
	}
	return join(key, value, left, right)
}

func insert[K ~string, V any](n *node[K, V], key K, value V) *node[K, V] {
	switch {
	case n == nil:
		return join[K, V](key, value, nil, nil)
	case key < n.key:
		return balance(n.key, n.value, insert(n.left, key, value), n.right)
	case key > n.key:
		return balance(n.key, n.value, n.left, insert(n.right, key, value))
	}
	return join(key, value, n.left, n.right)
}

func remove[K ~string, V any](n *node[K, V], key K) *node[K, V] {
	switch {
	case key < n.key:
		return balance(n.key, n.value, remove(n.left, key), n.right)
	case key > n.key:
		return balance(n.key, n.value, n.left, remove(n.right, key))
	case n.left == nil:
		return n.right
	case n.right == nil:
		return n.left
	}
	next, value, _ := Map[K, V]{n.right}.Min()
	return balance(next, value, n.left, remove(n.right, next))
}
