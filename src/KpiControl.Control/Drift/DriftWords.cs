namespace KpiControl.Control.Drift;

/// <summary>What a state means for one job, in a sentence; pure.</summary>
internal static class DriftWords
{
    public static string Of(DriftRow row) => row.State switch
    {
        "pending_write" => $"what is bound is to be written to the store since {Text(row.WriteSince!.Value)}{(row.WriteProblem is { } problem ? $"; the last try failed: {problem}" : "")}",
        "unreadable" when !row.Configured => $"the store is not configured any more; {LastSeen(row)}{(row.WriteSince is { } waits ? $"; what is bound waits since {Text(waits)} to be written there" : "")}",
        "unreadable" when row.FailingSince is { } since => $"the store cannot be read since {Text(since)}: {row.Failure}; {LastSeen(row)}",
        "unreadable" => $"{row.Path} is there and cannot be read: {row.Problem}",
        "invalid" when row.Copies is { } paths => $"{paths} are the same job: which of them is meant cannot be known",
        "invalid" => $"{row.Path} {(row.Problem!.StartsWith("is ", StringComparison.Ordinal) ? row.Problem : $"is no valid artifact: {row.Problem}")}",
        "missing" when row.RefPath is { } path => $"the store has {path} no more; the job goes on with what is bound",
        "missing" => "the store never had it",
        "orphaned" when row.IsTakenAway => $"the job was taken away, and the store has {row.Path} still",
        "orphaned" => "no job of this environment follows it: it was never applied, or the job follows another store",
        "drifted" when row.DefinitionHash != row.BoundHash => "what is stored of the bound definition is not what its hash says: it was altered in the database",
        "drifted" when row.RefHash is null => "the store and the binding have never been the same",
        "drifted" when row.RefHash == row.BoundHash => "the store has moved on from what is bound",
        "drifted" when row.RefHash == row.StoreHash => "the binding has moved on from what the store holds",
        "drifted" => "the store and the binding have both moved on from what they agreed on",
        "overridden" => row.IsPaused ? "it is what the store holds, and the job is paused"
            : $"it is what the store holds, and another {(row.Overrides ?? "schedule").Replace("alert_route", "alert route", StringComparison.Ordinal)} stands over it",
        _ when row.IsTakenAway => "the job was taken away, and the store has it no more",
        _ => row.IsUnreleased ? "it is what the store holds, and waits for its first approval" : "",
    };

    public static string Text(DateTimeOffset at) => FormattableString.Invariant($"{at.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z");

    private static string LastSeen(DriftRow row) => row.ReadAt is not { } read ? "it was never read"
        : row.Path is null ? $"when it was read last, {Text(read)}, it did not have this job"
        : row.BindingId is null ? $"{row.Path} is as it was at {Text(read)}"
        : row.StoreHash == row.BoundHash ? $"when it was read last, {Text(read)}, it held what is bound" : $"when it was read last, {Text(read)}, it held something else than what is bound";
}
