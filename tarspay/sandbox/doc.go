// Package sandbox is a stand-in for the TarsPay gateway.
package sandbox
