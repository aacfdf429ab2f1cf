-- An agent that never saw the answer to its enrolment asks again with the same key, and is answered as before.
ALTER TABLE kpi_enrolment
  ADD COLUMN used_key    bytea CHECK (octet_length(used_key) = 32),   -- SHA-256 of the key's SubjectPublicKeyInfo
  ADD COLUMN used_serial text;                                        -- of the certificate that was made of it
