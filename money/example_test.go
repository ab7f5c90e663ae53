package money_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tarspay-payouts/orchestrator/money"
)

// Read an amount that a person typed. What could mean two amounts is refused.
func ExampleParse() {
	amount, err := money.Parse("1500.5", "PKR")
	fmt.Println(amount, amount.Minor(), err)

	_, err = money.Parse("500.000", "VND")
	fmt.Println(errors.Is(err, money.ErrPrecision))
	// Output:
	// 1500.50 PKR 150050 <nil>
	// true
}

// Add amounts of one currency. Two currencies are never added.
func ExampleAmount_Add() {
	price, err := money.Minor(150_000, "PKR")
	if err != nil {
		panic(err)
	}
	fee, err := money.Minor(1_050, "PKR")
	if err != nil {
		panic(err)
	}
	sum, err := price.Add(fee)
	fmt.Println(sum, err)

	dong, err := money.Minor(1, "VND")
	if err != nil {
		panic(err)
	}
	_, err = price.Add(dong)
	fmt.Println(err)
	// Output:
	// 1510.50 PKR <nil>
	// amounts of different currencies: "PKR" and "VND"
}

// In JSON an amount is text with its currency, never a number.
func ExampleAmount_MarshalJSON() {
	amount, err := money.Parse("200000", "VND")
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(amount)
	fmt.Println(string(text), err)
	// Output:
	// {"value":"200000","currency":"VND"} <nil>
}

// A fee may have more decimals than its currency: whole minor units are kept,
// and the rest in millionths of one.
func ExampleParseFiner() {
	fee, rest, err := money.ParseFiner("18.018", "PKR")
	fmt.Println(fee, rest, err)
	// Output:
	// 18.01 PKR 800000 <nil>
}
