namespace KpiControl.Agent.Leasing;

internal enum StreamEndKind
{
    /// <summary>The agent stops, and has said all it had to say.</summary>
    Done,
    /// <summary>Control asked to connect again.</summary>
    Moved,
    /// <summary>The agent ends it on purpose, to say Hello again at once.</summary>
    Reopen,
    /// <summary>Cut, deaf or refused.</summary>
    Lost,
    /// <summary>Refused, and no waiting mends it.</summary>
    Misconfigured,
}

/// <param name="Message">One line for the log.</param>
internal sealed record StreamEnd(StreamEndKind Kind, string Message);
