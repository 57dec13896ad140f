// Package clickhouse is the audit search on ClickHouse.
package clickhouse
