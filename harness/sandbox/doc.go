// Package sandbox is a stand-in for the TarsPay gateway: an http.Handler that checks every
// request's signature, keeps records of its own, signs its callbacks, and repeats them until
// they are answered OK.
//
// It knows only the protocol and nothing else of ours. Therefore tests check against its
// records: Gateway.Audit counts what was paid, how often, and for which number, independently
// of our ledger.
//
// # Answers
//
// A signed call is answered with HTTP 200 and the envelope. A request outside the protocol
// (another method, another content type, too long) is answered with an HTTP error. If several
// codes apply to a call, the answer has the lowest; 500321 counts as 5003021. Where the pages
// are silent, the sandbox decides, and a client must not rely on it:
//
//   - the order of the checks is that of the codes, and the signature is checked
//     after all that concerns the key;
//   - any nonce is taken, any number of times, unless there is a window for it;
//   - a refusal's message has the meaning of its code and the member, except for the
//     messages that a page quotes, which are sent as quoted;
//   - a state is called back where the country's page lists it and nowhere else: a
//     refund (5) and a rejected payout (8) are not in Thailand and Vietnam, and the
//     scenario undocumented-callback sends them nevertheless;
//   - an amount in a currency without decimals has no point and no leading zero;
//   - a query that finds nothing answers code 0 with data null;
//   - sign covers the compact data with its members sorted;
//   - a query by payOrderId leaves mchOrderNo empty, as samples do;
//   - an order number is unique per merchant over both directions, for ever;
//   - a wrong currency, and a member the country's profile refuses, is 5003001;
//     a way of the other direction is 500327, any other way that is not on the
//     list 5003009, and so is one that is closed, complete list or not; where no
//     list could be seen, any way is taken;
//     an amount outside a way's limits is 500321;
//   - history is listed by creation, the newest first; a refunded order stays
//     in it as a success, and what Fund takes out is a withdrawal of kind 4;
//   - a failure tells the full payAmount and a fee in queries too, as the
//     published callback does;
//   - the fee of a refunded order stays with the gateway;
//   - callbacks wait 1, 2, 4, 8, 15, 30 s, 1, 2, 5, 10, 15, 30 min, 1, 2, 4 h
//     between their sixteen sends;
//   - the account check knows the account of the page's example; of all others,
//     one whose number ends in 9 belongs to somebody with one name more, and any
//     other to whoever is named;
//   - a direct deposit answers with the chosen way in payWays, and payWayType is as
//     Thailand's and Vietnam's pages have it, elsewhere the kind of the way; the
//     payee's data are made up;
//   - an order is payable for half an hour where no time is known;
//   - a payout's certificate is an object with the order and its payment.
//
// # What happens to an order
//
// A create chooses by the member sandboxScenario: a name, "hidden:5" with a number, or several
// of different aspects, "lost-answer,fail". Without it the last three digits before the point
// of the amount choose: 1202 fails. An order without a scenario is paid and called back after
// two seconds of state 0 or 1.
//
// A number after a name in the table is the default of its argument: the number of faulty
// calls for the order number, the number of copies, the code of the answer, or the percentage
// that is paid.
//
// A test compares the tables with the code; go test -run TestDocumentation -update rewrites
// them.
//
// # Scenarios
//
//	NAME                      DIGITS  FOR         WHAT HAPPENS
//	lost-request:1            101     both        the connection breaks before the order is booked
//	lost-answer:1             102     both        the order is booked and the connection breaks before the answer
//	slow-answer:1             103     both        the order is booked, and the answer comes after the client's timeout
//	late-booking:1            104     both        no answer, and the order is booked some time after the client's timeout
//	system-error:1            105     both        code -1, and the order is booked
//	system-error-unbooked:1   106     both        code -1, and nothing is booked
//	channel-error:1           107     both        code 5003013, and the order is booked
//	channel-error-unbooked:1  108     both        code 5003013, and nothing is booked
//	status-error:1            109     both        code 5003010 in its first meaning (order status error): the order is booked
//	status-error-unbooked:1   112     both        code 5003010 in its second meaning (creating the payout failed): nothing is booked
//	remote-error:1            113     both        code 500323, and the order is booked
//	exists-answer:1           114     both        code 5003011 on the create that booked the order
//	unknown-code:1            116     both        an undocumented code, and the order is booked
//	http-429:1                117     both        HTTP 429, and the order is booked
//	http-500:1                118     both        HTTP 500, and the order is booked
//	http-502:1                119     both        HTTP 502, and the order is booked
//	http-503:1                121     both        HTTP 503, and the order is booked
//	http-429-unbooked:1       122     both        HTTP 429, and nothing is booked
//	http-500-unbooked:1       124     both        HTTP 500, and nothing is booked
//	http-502-unbooked:1       126     both        HTTP 502, and nothing is booked
//	http-503-unbooked:1       127     both        HTTP 503, and nothing is booked
//	html:1                    128     both        a page in HTML instead of the answer; the order is booked
//	truncated:1               129     both        half of the answer; the order is booked
//	wrong-content-type:1      131     both        the right answer, declared as text/plain
//	wrong-types:1             132     both        an answer whose code is text and whose data is a list; the order is booked
//	wrong-sign:1              133     both        the right answer with an invalid sign
//	empty-answer:1            134     both        HTTP 200 without a body; the order is booked
//	huge-answer:1             136     both        an answer of ten megabytes; the order is booked
//	endless-answer:1          137     both        an answer that does not end; the order is booked
//	key-expired               138     both        code 5003006 on every create; nothing is booked
//	ip-refused                139     both        code 5003007 on every create; nothing is booked
//	merchant-disabled         141     both        code 5003003 on every create; nothing is booked
//	balance-short             142     withdrawal  code 5004006 for any balance; nothing is booked
//	refuse:5003015            143     both        the create is refused with the given code; nothing is booked
//	success                           both        paid and called back; the default
//	silent-success            201     both        paid, without a callback
//	fail                      202     both        accepted, then state 3; the callback still has the full payAmount and a fee
//	silent-fail               203     both        accepted, then state 3 without a callback
//	reject                    204     withdrawal  accepted, then state 8
//	cancel                    206     deposit     accepted, then state 4, which has no callback
//	stuck                     207     both        stays in state 1
//	stuck-created             208     both        stays in state 0
//	queued                    209     deposit     state 7 for a while, then paid
//	flip                      211     both        state 3 and its callback, then state 2 and its callback: reported as failed, but paid
//	refund                    212     both        paid, then refunded (5)
//	out-of-order              213     both        paid, then refunded; the refund's callback is sent first
//	partial:50                214     deposit     the payer pays only a part (9)
//	expire                    216     deposit     not paid in time (6), which has no callback
//	paid-after-expiry         217     deposit     expired (6), then paid
//	cashier                   218     deposit     waits for an action on the cashier page or for a submitted payment number; expires after the country's time to pay
//	unnoticed                 219     deposit     the payer has paid and the gateway did not notice: a supplement with the payment's number (trx_id in the records) makes it paid; else it expires
//	silent                    301     both        no callback
//	early-callback            302     both        the order ends, and its callback is sent before the create is answered
//	duplicate-callback:3      303     both        each callback is sent several times at once, even if it is answered OK
//	late-callback             304     both        the callback is sent an hour late
//	repeated-callback         306     both        the callback is sent, and sent again a day later
//	unsigned-callback         307     both        a callback without a signature, then the right one
//	wrong-signature           308     both        a callback with a damaged signature, then the right one
//	other-key                 309     both        a callback signed with an unknown key, then the right one
//	foreign-signature         311     both        a callback with the signature of another order's callback, then the right one
//	unknown-order             312     both        a correctly signed callback for an order number that does not exist, then the right one
//	changed-amount            313     both        a correctly signed callback with other amounts, then the right one
//	changed-currency          314     both        a correctly signed callback in another currency, then the right one
//	changed-merchant          316     both        a correctly signed callback for another merchant, then the right one
//	changed-id                317     both        a correctly signed callback with another payOrderId, then the right one
//	false-failure             322     both        a correctly signed callback with state 3, which no query confirms, then the right one
//	malformed-callback        318     both        a correctly signed callback that is not JSON, then the right one
//	huge-callback             319     both        a callback of eight megabytes, then the right one
//	slow-callback             321     both        a callback whose body never ends, then the right one
//	undocumented-callback     323     both        callbacks also for states that only other countries' pages list: 5 and 8 in Thailand and Vietnam
//	hidden:3                  401     both        the order is booked, and the first queries do not find it
//	query-error:2             402     both        the first queries answer 5003018 (deposit) or 5003020 (withdrawal)
//	query-http-500:2          403     both        the first queries answer HTTP 500
//	text-state                404     both        queries return the state as text, as the gateway's tables say but no sample shows
//
// # Switches
//
//	merchant-disabled   every call answers 5003003
//	not-certified       every call answers 5003004
//	key-expired         every call answers 5003006
//	ip-refused          every call answers 5003007
//	signature-refused   every call answers 5003008
//	outage              every call loses its connection before anything is done
//	rate-limited        every call answers HTTP 429 before anything is done
//	key-unbound         the key has no bound address: 15 days after this is switched on every call answers 5003006
//	lying-balance       the balance shows one unit more than there is
//	shifting-history    pages of the history after the first repeat a record, as if one had come in between
//	no-duplicate-guard  an order number may be used again: a second create books a second order
//
// A switch is a condition of a whole merchant; control turns it on and off.
//
// # Faults
//
// With Options.Faults the gateway selects the scenario of each order that names none, one per
// aspect, and the fault of each call. Each has a rate, and the selection depends on the seed
// only. The digits of amounts are ignored then. All scenarios except success and cashier can
// be selected, and the switches lying-balance and shifting-history.
package sandbox
