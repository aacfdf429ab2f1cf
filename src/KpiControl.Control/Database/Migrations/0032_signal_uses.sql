-- Each completion asks which undated signal served its slot: by the binding, not by reading every signal of the name.
CREATE INDEX ON kpi_signal_use (binding_id, scheduled_for);
