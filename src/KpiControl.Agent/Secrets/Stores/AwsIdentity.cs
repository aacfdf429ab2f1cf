namespace KpiControl.Agent.Secrets.Stores;

/// <param name="SessionToken">Of temporary credentials.</param>
internal sealed record AwsCredentials(string KeyId, string Key, string? SessionToken)
{
    // A record prints its members: this one must not.
    public override string ToString() => "***";
}

/// <summary>Credentials for AWS, or why there are none.</summary>
internal readonly record struct AwsAccess(AwsCredentials? Credentials, SecretLookup? Problem);

/// <summary>Who this agent is at AWS.</summary>
internal interface IAwsIdentity : IDisposable
{
    /// <param name="refused">Credentials that AWS has just refused: others are wanted. Those that it gives again are no others.</param>
    Task<AwsAccess> AccessAsync(SecretReference reference, AwsCredentials? refused, CancellationToken token);
}

/// <summary>An access key of this machine, read at each use.</summary>
internal sealed class AwsAccessKey(AwsSecretsOptions options, SecretsInHand inHand) : IAwsIdentity
{
    private readonly NearSecret keyId = new(options.AccessKeyId, inHand);
    private readonly NearSecret key = new(options.SecretAccessKey, inHand);
    private readonly NearSecret? session = options.SessionToken.Length > 0 ? new(options.SessionToken, inHand) : null;

    public async Task<AwsAccess> AccessAsync(SecretReference reference, AwsCredentials? refused, CancellationToken token)
    {
        var (id, secret, temporary) = (await keyId.ReadAsync(token), await key.ReadAsync(token), session is null ? null : await session.ReadAsync(token));
        foreach (var part in new[] { id, secret, temporary })
            if (part is { Value: null })
                return new(null, SecretLookup.Missing($"{reference}: no credentials for AWS: {part.Problem}"));
        return new(new AwsCredentials(id.Value!, secret.Value!, temporary?.Value), null);
    }

    public void Dispose()
    {
        keyId.Dispose();
        key.Dispose();
        session?.Dispose();
    }
}
