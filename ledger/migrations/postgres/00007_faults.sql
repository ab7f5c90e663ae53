-- What is paid and then returned can be booked whichever end it had.

-- +goose Up

INSERT INTO moves (kind, from_state, to_state) VALUES
    ('deposit', 'partially_paid', 'refunded'),
    ('deposit', 'expired', 'refunded');

ALTER TABLE orders DROP CONSTRAINT orders_paid;
ALTER TABLE orders ADD CONSTRAINT orders_paid CHECK (
    CASE state
        WHEN 'succeeded' THEN paid = amount
        WHEN 'refunded' THEN paid = amount OR (kind = 'deposit' AND paid > 0 AND paid < amount)
        WHEN 'partially_paid' THEN paid > 0 AND paid < amount
        WHEN 'expired' THEN paid >= 0 AND paid <= amount
        ELSE paid = 0
    END
);
