//! The counts of a host by the hour, in PostgreSQL and in SQLite: one statement does for both.

/// The end of a statement that counts for a host, in the hour of the row that it inserts into the table, which it calls `q`: what was counted
/// in that hour is added to it, and what was counted in the one before is kept.
macro_rules! counting {
    () => {
        " on conflict (host) do update set hour = excluded.hour,
            before = case excluded.hour - q.hour when 0 then q.before when 1 then q.wrong else 0 end,
            wrong = excluded.wrong + case excluded.hour - q.hour when 0 then q.wrong else 0 end,
            refused_before = case excluded.hour - q.hour when 0 then q.refused_before when 1 then q.refused else 0 end,
            refused = excluded.refused + case excluded.hour - q.hour when 0 then q.refused else 0 end,
            newcomers_before =
                case excluded.hour - q.hour when 0 then q.newcomers_before when 1 then q.newcomers else 0 end,
            newcomers = excluded.newcomers + case excluded.hour - q.hour when 0 then q.newcomers else 0 end"
    };
}

pub(crate) use counting;
