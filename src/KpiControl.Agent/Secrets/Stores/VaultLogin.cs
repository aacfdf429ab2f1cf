using System.Net;

namespace KpiControl.Agent.Secrets.Stores;

/// <param name="Life">Zero: it never ends.</param>
internal sealed record VaultGrant(string Token, TimeSpan Life, bool IsRenewable)
{
    // A record prints its members: this one must not.
    public override string ToString() => "***";
}

/// <summary>Gets a token from Vault: the one that is given, or by AppRole, or by the pod's service account.</summary>
internal sealed class VaultLogin(VaultOptions options, VaultClient client, SecretsInHand inHand) : IDisposable
{
    private readonly NearSecret? credential = options.Login switch
    {
        "token" => new NearSecret(options.Token, inHand),
        "approle" => new NearSecret(options.SecretId, inHand),
        _ => new NearSecret($"{FileSecrets.SchemeName}:{options.JwtFile}", inHand, isPods: true),
    };

    public async Task<(VaultGrant? Grant, SecretLookup? Problem)> LoginAsync(string reference, CancellationToken token)
    {
        var found = await credential!.ReadAsync(token);
        if (found.Value is not { } secret)
            return (null, SecretLookup.Missing($"{reference}: no login at Vault: {found.Problem}"));
        var answer = options.Login switch
        {
            "token" => await client.GetAsync("auth/token/lookup-self", secret, token),
            "approle" => await client.PostAsync($"auth/{Mount}/login", null, new { role_id = options.RoleId, secret_id = secret }, token),
            _ => await client.PostAsync($"auth/{Mount}/login", null, new { role = options.Role, jwt = secret }, token),
        };
        var grant = options.Login == "token" ? Looked(answer, secret) : Grant(answer);
        return grant is not null ? (grant, null) : (null, Refused(reference, answer));
    }

    /// <summary>Of a login's or a renewal's answer; null where it is neither.</summary>
    public static VaultGrant? Grant(VaultAnswer answer) =>
        answer is { IsSuccess: true } && answer.Member("auth", "client_token")?.GetString() is { Length: > 0 } made
            ? new VaultGrant(made, Seconds(answer, "auth", "lease_duration"), IsTrue(answer, "auth", "renewable")) : null;

    public void Dispose() => credential?.Dispose();

    private static VaultGrant? Looked(VaultAnswer answer, string given) =>
        answer.IsSuccess && answer.Member("data") is not null
            ? new VaultGrant(given, Seconds(answer, "data", "ttl"), IsTrue(answer, "data", "renewable")) : null;

    private string Mount => options.AuthMount.Length > 0 ? options.AuthMount.Trim('/') : options.Login;

    private SecretLookup Refused(string reference, VaultAnswer answer) => answer.Status switch
    {
        HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound => SecretLookup.Missing(
            $"{reference}: Vault refuses the {options.Login} login with {credential} ({(int)answer.Status}): renew what stands there, or correct the role and {VaultOptions.Section}:AuthMount"),
        _ => VaultSecrets.Outage(reference, answer.Status),
    };

    private static TimeSpan Seconds(VaultAnswer answer, string owner, string name) =>
        answer.Member(owner, name) is { ValueKind: System.Text.Json.JsonValueKind.Number } number && number.TryGetInt64(out var seconds) ? TimeSpan.FromSeconds(seconds) : TimeSpan.Zero;

    private static bool IsTrue(VaultAnswer answer, string owner, string name) => answer.Member(owner, name) is { ValueKind: System.Text.Json.JsonValueKind.True };
}
