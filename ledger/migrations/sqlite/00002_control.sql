-- +goose Up

DELETE FROM moves WHERE kind = 'deposit' AND from_state = 'awaiting_approval' AND to_state = 'submitting';
INSERT INTO moves (kind, from_state, to_state) VALUES ('deposit', 'awaiting_approval', 'created');
