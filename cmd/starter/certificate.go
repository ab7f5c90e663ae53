package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/tarspay-payouts/orchestrator/internal/payouts"
	"github.com/tarspay-payouts/orchestrator/order"
	"github.com/tarspay-payouts/orchestrator/tarspay"
)

func (s *starter) certificateCommand() *cobra.Command {
	var from callerFlags
	var gatewayID, path string
	cmd := &cobra.Command{
		Use:   "certificate {NUMBER | --gateway-id ID} --out FILE",
		Short: "The certificate of a payout (" + payouts.Having(tarspay.OperationPayoutProof) + ")",
		Long: `Gets the certificate of a payout, as proof for the beneficiary or for resolve. A
certificate names people, so it goes to a new file that only you can read and is
never printed. No page of the gateway shows what it looks like: the file holds the
gateway's JSON as it came.

--json: {"certificate_file"}.` + callsGateway,
		Example: `  starter certificate INV-1 --out INV-1.json
  starter certificate --gateway-id P1795000000000000001 --out proof.json --json`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			reference, wrong := reference(args, gatewayID)
			wrong.need("out", path, "--out is needed: the file to write")
			return s.certificate(cmd.Context(), from, reference, path, wrong)
		},
	}
	s.addCaller(cmd, &from)
	addGatewayID(cmd, &gatewayID)
	cmd.Flags().StringVar(&path, "out", "", "the file to write; one that exists is never overwritten")
	return cmd
}

// certificateDocument is {"certificate_file":…}.
type certificateDocument struct {
	File string `json:"certificate_file"`
}

func (s *starter) certificate(ctx context.Context, from callerFlags, reference tarspay.Reference, path string, wrong problems) error {
	c, err := s.caller(tarspay.OperationPayoutProof, from, wrong)
	if err != nil {
		return err
	}
	defer c.CloseIdle()
	proof, err := c.PayoutProof(ctx, reference)
	if err != nil {
		return err
	}
	if err := writeNewFile(path, append(proof.Data, '\n')); err != nil {
		return err
	}
	s.show(certificateDocument{path}, func(w io.Writer) { printf(w, "the certificate is in %s\n", printable(path)) })
	return nil
}

// reference returns the reference of an order: the number on the command line, or
// the gateway's id.
func reference(args []string, gatewayID string) (tarspay.Reference, problems) {
	var wrong problems
	switch {
	case len(args) > 1:
		wrong.add(codeUsage, "number", "give one order number; %s", count(len(args), "was given", "were given"))
	case len(args) == 1 && gatewayID != "":
		wrong.add(codeUsage, "gateway_id", "give the order number or --gateway-id, not both")
	case len(args) == 1:
		wrong.need("number", args[0], "the order number is empty")
		return tarspay.Reference{OrderNumber: args[0]}, wrong
	case gatewayID == "":
		wrong.add(payouts.CodeMissing, "number", "give the order number, or the gateway's with --gateway-id")
	}
	return tarspay.Reference{GatewayID: gatewayID}, wrong
}

func addGatewayID(cmd *cobra.Command, gatewayID *string) {
	cmd.Flags().StringVar(gatewayID, "gateway-id", "", "the gateway's number of the order (payOrderId), in place of yours")
}

// writeNewFile creates a file that only its owner can read. The error is an
// *order.Refusal with FILE_EXISTS if the file exists.
func writeNewFile(path string, content []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return order.Refuse(codeFileExists, "%s exists and is not overwritten; choose another name", path)
	}
	if err != nil {
		return fmt.Errorf("make the file: %w", err)
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			_ = os.Remove(path) // remove a partly written file
		}
	}()
	if _, err := file.Write(content); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	return file.Sync()
}
