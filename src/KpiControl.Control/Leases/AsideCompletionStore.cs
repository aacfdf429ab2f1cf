using Npgsql;
using NpgsqlTypes;

namespace KpiControl.Control.Leases;

/// <summary>Records what attempts came to whose occurrence stands aside: in its turn, by the statement that records all others.</summary>
internal static class AsideCompletionStore
{
    // At one moment an attempt is in one of the two places, or in none.
    private const string CandidatesSql =
        """
        SELECT x.ord FROM unnest($1::int[], $2::bigint[], $3::uuid[]) AS x(ord, binding_id, attempt_id)
          JOIN kpi_job_runtime rt ON rt.binding_id = x.binding_id
         WHERE rt.attempt_id = x.attempt_id OR rt.aside > 0 AND EXISTS (SELECT FROM kpi_aside a WHERE a.binding_id = x.binding_id AND a.attempt_id = x.attempt_id)
        """;

    private const string FindSql =
        """
        SELECT x.ord, a.occ_scheduled_for, a.occ_kind FROM unnest($1::int[], $2::bigint[], $3::uuid[]) AS x(ord, binding_id, attempt_id)
          JOIN kpi_aside a ON a.binding_id = x.binding_id AND a.attempt_id = x.attempt_id
        """;

    /// <summary>For completions that the rows knew nothing of.</summary>
    /// <returns>What was recorded, in their order; null where no occurrence is the attempt's.</returns>
    public static async Task<IReadOnlyList<RecordedCompletion?>> CompleteAsync(NpgsqlConnection connection, IReadOnlyList<Completion> completions, CancellationToken token)
    {
        var candidates = (await LookAsync(connection, CandidatesSql, completions, reader => reader.GetInt32(0), token)).Select(ord => completions[ord]).ToList();
        if (candidates.Count == 0)
            return new RecordedCompletion?[completions.Count];
        var recorded = new Dictionary<Completion, RecordedCompletion>(ReferenceEqualityComparer.Instance);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await AsideTurnStore.LockAsync(connection, candidates.Select(completion => completion.BindingId), token);
        // One that came back into the row since, as what lost its lease does, is recorded there; one that stands aside in its turn.
        var keys = (await LookAsync(connection, FindSql, candidates, reader =>
            (Completion: candidates[reader.GetInt32(0)], Key: new AsideKey(candidates[reader.GetInt32(0)].BindingId, reader.GetFieldValue<DateTimeOffset>(1), reader.GetInt16(2))), token)).ToLookup(one => one.Key, one => one.Completion);
        var inRows = candidates.Except(keys.SelectMany(one => one), ReferenceEqualityComparer.Instance).Cast<Completion>().ToList();
        if (inRows.Count > 0)
            await RecordAsync(inRows, stoodAside: false);
        await AsideTurnStore.ServeAsync(connection, keys.Select(one => one.Key), turn => RecordAsync([.. turn.SelectMany(key => keys[key])], stoodAside: true), token);
        await transaction.CommitAsync(token);
        return [.. completions.Select(completion => recorded.GetValueOrDefault(completion))];

        async Task RecordAsync(IReadOnlyList<Completion> some, bool stoodAside)
        {
            foreach (var one in (await CompletionStore.CompleteAsync(connection, transaction, some, token)).OfType<RecordedCompletion>())
                recorded[one.Completion] = one with { StoodAside = stoodAside };
        }
    }

    private static async Task<List<T>> LookAsync<T>(NpgsqlConnection connection, string sql, IReadOnlyList<Completion> completions, Func<NpgsqlDataReader, T> read, CancellationToken token)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        command.AddOrdinals(completions.Count);
        command.Add(completions, NpgsqlDbType.Bigint, c => c.BindingId);
        command.Add(completions, NpgsqlDbType.Uuid, c => c.Attempt);
        var found = new List<T>();
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            found.Add(read(reader));
        return found;
    }
}
