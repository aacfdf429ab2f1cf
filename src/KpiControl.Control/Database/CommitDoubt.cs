using Npgsql;

namespace KpiControl.Control.Database;

/// <summary>
/// Whether what a connection commits is with the standby that its commits wait for. A wait that is cut off, as by a command's
/// timeout, leaves the commit on the primary alone: PostgreSQL says so in a notice, and the driver returns as if all were well.
/// What is acknowledged then is gone with the primary.
/// </summary>
internal sealed class CommitDoubt : IDisposable
{
    private readonly NpgsqlConnection connection;
    private bool isInDoubt;

    public CommitDoubt(NpgsqlConnection connection)
    {
        this.connection = connection;
        connection.Notice += Notice;
    }

    /// <summary>What others committed may be in doubt, too: as after a connection that was lost in its COMMIT.</summary>
    public void Raise() => isInDoubt = true;

    /// <summary>Returns when everything that was committed so far is where it must be, however long a standby stands still.</summary>
    public async Task ResolveAsync(CancellationToken token)
    {
        while (isInDoubt)
        {
            isInDoubt = false;
            // A commit behind all others: when the standby has it, it has them.
            await using var behind = new NpgsqlCommand("SELECT pg_logical_emit_message(true, 'kpi', '')", connection);
            await behind.ExecuteNonQueryAsync(token);
        }
    }

    public void Dispose() => connection.Notice -= Notice;

    // Its words depend on the server's language; the place that it comes from does not.
    private void Notice(object sender, NpgsqlNoticeEventArgs told) => isInDoubt |= told.Notice.Routine == "SyncRepWaitForLSN";
}
