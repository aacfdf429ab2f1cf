using Dapper;
using KpiControl.Control.Audit;
using KpiControl.Control.Database;
using Npgsql;

namespace KpiControl.Control.Certificates;

/// <summary>What certificates stand on: tokens that are used up, agents that are known and not revoked.</summary>
internal sealed class CertificateStore(Databases databases)
{
    // Of two who race with one token the second waits here, and then finds it used.
    private const string UseSql = """
        UPDATE kpi_enrolment SET used_at = now(), used_by = @agent, used_key = @key
         WHERE token_hash = @hash AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
           AND (agent = @agent OR (right(agent, 1) = '*' AND starts_with(@agent, left(agent, -1))))
        RETURNING enrolment_id, region, tenants, created_by, agent = @agent AS is_by_name
        """;

    // The certificate that was made of the token is still the agent's last: nothing has come after it, so it may be made once more.
    private const string RepeatSql = """
        SELECT e.enrolment_id, i.agent, i.region, i.tenants, i.certificates_since AS not_before, i.certificate_expires_at AS not_after
          FROM kpi_enrolment e JOIN kpi_agent_identity i ON i.agent = e.used_by AND i.certificate_serial = e.used_serial
         WHERE e.token_hash = @hash AND e.used_by = @agent AND e.used_key = @key AND e.expires_at > now() AND i.revoked_at IS NULL
           FOR UPDATE OF i
        """;

    // Repeats go one after the other: each sees the serial number that the one before it left.
    private const string HoldSql = """
        SELECT enrolment_id FROM kpi_enrolment WHERE token_hash = @hash FOR UPDATE
        """;

    private const string KnownSql = """
        INSERT INTO kpi_agent (agent) VALUES (@agent) ON CONFLICT DO NOTHING
        """;

    // The new certificate begins after every one that was signed before, and those count no more.
    private const string EnrolSql = """
        INSERT INTO kpi_agent_identity AS i (agent, region, tenants, certificates_since, certificate_serial, certificate_expires_at)
        VALUES (@agent, @region, @tenants, date_trunc('second', now()) + interval '1 second', '', date_trunc('second', now()) + interval '1 second' + @lifetime::interval)
        ON CONFLICT (agent) DO UPDATE SET region = excluded.region, tenants = excluded.tenants, revoked_at = NULL, revoked_by = NULL, revoke_reason = NULL,
          certificates_since = greatest(excluded.certificates_since, i.certificates_since + interval '1 second'),
          certificate_expires_at = greatest(excluded.certificates_since, i.certificates_since + interval '1 second') + @lifetime::interval
          WHERE @isByName
        RETURNING agent, region, tenants, certificates_since AS not_before, certificate_expires_at AS not_after
        """;

    private const string SerialSql = """
        UPDATE kpi_agent_identity SET certificate_serial = @serial WHERE agent = @agent
        """;

    private const string EnrolledSerialSql = """
        WITH e AS (UPDATE kpi_enrolment SET used_serial = @serial WHERE enrolment_id = @enrolmentId)
        UPDATE kpi_agent_identity SET certificate_serial = @serial WHERE agent = @agent
        """;

    private const string NotifySql = """
        SELECT pg_notify('kpi', 'revoked')
        """;

    /// <param name="hash">Of the token.</param>
    /// <param name="key">The SHA-256 of the agent's public key: with the same one a used token is answered again.</param>
    /// <param name="sign">The certificate's serial number, from what it shall say; what it throws leaves the token unused.</param>
    public async Task<EnrolmentOutcome> EnrolAsync(byte[] hash, string agent, byte[] key, TimeSpan lifetime, Func<CertificateTerms, string> sign, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        if (await FindAsync<UsedEnrolment>(UseSql, new { hash, agent, key }) is not { } used)
            return await RepeatAsync();
        await connection.ExecuteAsync(Command(KnownSql, new { agent }));
        if (await FindAsync<CertificateTerms>(EnrolSql, new { agent, used.Region, used.Tenants, used.IsByName, lifetime }) is not { } terms)
            return EnrolmentOutcome.NameTaken;
        var serial = sign(terms);
        await connection.ExecuteAsync(Command(EnrolledSerialSql, new { agent, serial, used.EnrolmentId }));
        await connection.ExecuteAsync(Command(NotifySql, null));
        await AuditStore.AppendAsync(connection, Audited(terms, "Enroll", serial, $"enrolment {used.EnrolmentId} by {used.CreatedBy}"), token);
        await transaction.CommitAsync(token);
        return EnrolmentOutcome.Enrolled;

        async Task<EnrolmentOutcome> RepeatAsync()
        {
            await connection.ExecuteAsync(Command(HoldSql, new { hash }));
            if (await FindAsync<RepeatedEnrolment>(RepeatSql, new { hash, agent, key }) is not { } repeated)
                return EnrolmentOutcome.Refused;
            var again = sign(repeated);
            await connection.ExecuteAsync(Command(EnrolledSerialSql, new { agent, serial = again, repeated.EnrolmentId }));
            await AuditStore.AppendAsync(connection, Audited(repeated, "Enroll", again, $"enrolment {repeated.EnrolmentId}, asked again with the same key"), token);
            await transaction.CommitAsync(token);
            return EnrolmentOutcome.Enrolled;
        }

        CommandDefinition Command(string sql, object? parameters) => new(sql, parameters, transaction, cancellationToken: token);
        Task<T?> FindAsync<T>(string sql, object parameters) => connection.QuerySingleOrDefaultAsync<T>(Command(sql, parameters));
    }

    private static AuditEntry Audited(CertificateTerms terms, string verb, string serial, string reason) => new()
    {
        TenantId = "*", Actor = $"agent {terms.Agent}", Verb = verb, ObjectKind = "agent", ObjectId = terms.Agent, Reason = reason,
        After = AuditEntry.Json(new { terms.Region, terms.Tenants, Serial = serial, ExpiresAt = terms.NotAfter }),
    };

    private const string RenewSql = """
        UPDATE kpi_agent_identity i SET certificate_expires_at = greatest(date_trunc('second', now()), i.certificates_since) + @lifetime::interval, certificate_serial = ''
         WHERE agent = @agent AND region = @region AND revoked_at IS NULL AND certificates_since <= @notBefore AND @notAfter::timestamptz > now() - @renewableFor::interval
        RETURNING agent, region, tenants, greatest(date_trunc('second', now()), certificates_since) AS not_before, certificate_expires_at AS not_after
        """;

    /// <summary>Signs the next certificate of an agent; false where its current one counts no more.</summary>
    public async Task<bool> RenewAsync(RenewalRequest request, Func<CertificateTerms, string> sign, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        if (await connection.QuerySingleOrDefaultAsync<CertificateTerms>(new CommandDefinition(RenewSql, request, transaction, cancellationToken: token)) is not { } terms)
            return false;
        var serial = sign(terms);
        await connection.ExecuteAsync(new CommandDefinition(SerialSql, new { terms.Agent, serial }, transaction, cancellationToken: token));
        await AuditStore.AppendAsync(connection, Audited(terms, "Renew", serial, "by its certificate"), token);
        await transaction.CommitAsync(token);
        return true;
    }

    private const string StandingSql = """
        SELECT i.region, i.tenants, i.certificates_since, i.revoked_at IS NOT NULL AS is_revoked, coalesce(i.revoke_reason, '') AS revoke_reason FROM kpi_agent_identity i WHERE i.agent = @agent
        """;

    /// <summary>Null: nothing is known of it, neither an enrolment nor a revocation.</summary>
    public async Task<AgentStanding?> StandingAsync(string agent, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.QuerySingleOrDefaultAsync<AgentStanding>(new CommandDefinition(StandingSql, new { agent }, cancellationToken: token));
    }

    private const string ShutOutSql = """
        SELECT i.agent, i.certificates_since, i.revoked_at IS NOT NULL AS is_revoked, coalesce(i.revoke_reason, '') AS revoke_reason
          FROM kpi_agent_identity i WHERE i.agent = ANY (@agents)
        """;

    /// <summary>Of the agents, how those stand that were enrolled or revoked here.</summary>
    public async Task<IReadOnlyDictionary<string, AgentStanding>> StandingsAsync(IReadOnlyCollection<string> agents, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<AgentStanding>(new CommandDefinition(ShutOutSql, new { agents = agents.ToArray() }, cancellationToken: token)))
            .ToDictionary(s => s.Agent, StringComparer.Ordinal);
    }

    private sealed record RepeatedEnrolment : CertificateTerms
    {
        public long EnrolmentId { get; init; }
    }

    private sealed record UsedEnrolment
    {
        public long EnrolmentId { get; init; }
        public string Region { get; init; } = "";
        public string[] Tenants { get; init; } = [];
        public string CreatedBy { get; init; } = "";
        public bool IsByName { get; init; }
    }
}

internal enum EnrolmentOutcome { Enrolled, Refused, NameTaken }

/// <summary>What a certificate shall say.</summary>
internal record CertificateTerms
{
    public string Agent { get; init; } = "";
    public string Region { get; init; } = "";
    public string[] Tenants { get; init; } = [];
    public DateTimeOffset NotBefore { get; init; }
    public DateTimeOffset NotAfter { get; init; }
}

internal sealed record RenewalRequest
{
    public required string Agent { get; init; }
    public required string Region { get; init; }
    public required DateTimeOffset NotBefore { get; init; }
    public required DateTimeOffset NotAfter { get; init; }
    public required TimeSpan Lifetime { get; init; }
    public required TimeSpan RenewableFor { get; init; }
}

internal sealed record AgentStanding
{
    public string Agent { get; init; } = "";
    public string? Region { get; init; }
    public string[]? Tenants { get; init; }
    public DateTimeOffset CertificatesSince { get; init; }
    public bool IsRevoked { get; init; }
    public string RevokeReason { get; init; } = "";

    /// <summary>Whether an agent of this identity is shut out.</summary>
    public bool ShutsOut(Security.CertificateFacts? certificate) => IsRevoked || (certificate is not null && certificate.NotBefore < CertificatesSince);
}
