#!/bin/sh
# Pays one person and waits for the end. Usage: first_payout.sh MERCHANT NUMBER AMOUNT
# Settings: PAYOUTS_API_ADDRESS and PAYOUTS_API_TOKEN. A repetition with the same number pays
# nothing twice.
set -eu
merchant=$1 number=$2 amount=$3

call() { curl -sS --fail-with-body --retry 8 --retry-connrefused -H "Authorization: Bearer $PAYOUTS_API_TOKEN" "$@"; }

call -H 'Content-Type: application/json' -d @- "$PAYOUTS_API_ADDRESS/v1/withdrawals" <<END
{
  "merchant": "$merchant", "number": "$number", "way": "easypaisa",
  "amount": {"value": "$amount", "currency": "PKR"},
  "details": {"customerName": "Ayesha Khan", "customerAccountNumber": "03007654321",
              "customerContact": "03007654321"}
}
END
call "$PAYOUTS_API_ADDRESS/v1/orders/$merchant/$number?wait=60s"
