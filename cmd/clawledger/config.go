package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// config is a --config file: flags by name, or flags of one command under the
// command's name, which go before.
//
//	data: /var/lib/clawledger
//	serve:
//	  listen: 127.0.0.1:8080
type config map[string]any

var _ kong.Resolver = config(nil)

// readConfig reads a --config file.
func readConfig(r io.Reader) (kong.Resolver, error) {
	c := map[string]any{} // not a config, or sections would be configs too
	if err := yaml.NewDecoder(r).Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the configuration file is not YAML of \"name: value\" lines: %w", err)
	}
	return config(c), nil
}

// Resolve answers a flag's value unless the environment has one.
func (c config) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	value, found := c[flag.Name]
	for n := parent.Node(); n != nil && n.Type == kong.CommandNode; n = n.Parent {
		if section, ok := c[n.Name].(map[string]any); ok {
			if own, ok := section[flag.Name]; ok {
				value, found = own, true
			}
		}
	}
	if _, section := value.(map[string]any); !found || section {
		return nil, nil
	}
	return value, nil
}

// Validate refuses names that are no flag's, because a line that does nothing
// is a mistake.
func (c config) Validate(app *kong.Application) error {
	known := map[string][]string{"": flagsOf(app.Node)}
	for _, n := range app.Leaves(false) {
		known[""] = append(known[""], flagsOf(n)...)
		known[n.Name] = flagsOf(n)
		if n.Parent != nil && n.Parent.Type == kong.CommandNode {
			known[n.Parent.Name] = append(known[n.Parent.Name], flagsOf(n)...)
		}
	}
	for name, value := range c {
		section, ok := value.(map[string]any)
		if !ok && !slices.Contains(known[""], name) {
			return unknownName(name, known[""])
		}
		for inner := range section {
			if !slices.Contains(known[name], inner) {
				return unknownName(name+"."+inner, known[name])
			}
		}
	}
	return nil
}

func flagsOf(n *kong.Node) []string {
	var names []string
	for _, f := range n.Flags {
		if f.Name != "help" && f.Name != "config" {
			names = append(names, f.Name)
		}
	}
	return names
}

func unknownName(name string, known []string) error {
	slices.Sort(known)
	return fmt.Errorf("the configuration file names %q, which is no flag; flags are %s", name, strings.Join(slices.Compact(known), ", "))
}
