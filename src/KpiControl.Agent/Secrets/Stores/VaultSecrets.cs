using System.Net;
using System.Text.Json;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary><c>vault:MOUNT/PATH#FIELD</c>: the newest version of a secret of a KV v2 engine. Its version is Vault's.</summary>
internal sealed class VaultSecrets : ISecretResolver, IAsyncDisposable
{
    public const string SchemeName = "vault";
    private readonly VaultClient client;
    private readonly VaultSession session;

    public VaultSecrets(VaultOptions options, SecretsInHand inHand, TimeProvider time)
    {
        client = new VaultClient(options, StoreClient.Make(options.CaFile, new Uri(options.Address)));
        session = new VaultSession(options, client, inHand, time);
    }

    public string Scheme => SchemeName;

    public async Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token)
    {
        var slash = reference.Place.IndexOf('/', StringComparison.Ordinal);
        var (mount, path) = (Uri.EscapeDataString(reference.Place[..slash]), string.Join('/', reference.Place[(slash + 1)..].Split('/').Select(Uri.EscapeDataString)));
        string? refused = null;
        while (true)
        {
            var access = await session.AccessAsync(reference.ToString(), refused, token);
            if (access.Token is not { } vaultToken)
                return access.Problem!;
            var answer = await client.GetAsync($"{mount}/data/{path}", vaultToken, token);
            // 403 is a policy's no, or the end of a token that was revoked: which of them, a new login tells.
            if (answer.Status is not HttpStatusCode.Forbidden || refused is not null)
                return Read(reference, answer);
            refused = vaultToken;
        }
    }

    public static SecretLookup Outage(string reference, HttpStatusCode status) => (int)status switch
    {
        429 => SecretLookup.Unavailable($"{reference}: Vault takes no more requests at the moment (429): raise its quota, or Agent:Secrets:CacheFor"),
        472 or 473 => SecretLookup.Unavailable($"{reference}: this Vault node is a standby ({(int)status}): give the active node's address"),
        503 => SecretLookup.Unavailable($"{reference}: Vault is sealed or in maintenance (503): unseal it"),
        >= 300 and < 400 => SecretLookup.Missing($"{reference}: Vault answers with a redirect, which is not followed: give the active node's address as {VaultOptions.Section}:Address"),
        >= 500 => SecretLookup.Unavailable($"{reference}: Vault failed ({(int)status}): look at its log"),
        _ => SecretLookup.Missing($"{reference}: Vault's answer is not understood ({(int)status}): look whether {VaultOptions.Section}:Address is a Vault"),
    };

    public async ValueTask DisposeAsync()
    {
        await session.DisposeAsync();
        client.Dispose();
    }

    private static SecretLookup Read(SecretReference reference, VaultAnswer answer) => answer.Status switch
    {
        HttpStatusCode.OK when answer.Member("data", "data") is { ValueKind: JsonValueKind.Object } => Value(reference, answer),
        HttpStatusCode.Forbidden => SecretLookup.Missing($"{reference}: this agent's Vault login may not read it (403): let its policy read the mount's data path"),
        HttpStatusCode.NotFound => SecretLookup.Missing(answer.Member("data", "metadata") is null
            ? $"{reference} does not exist in Vault (404): write it, or correct the mount (a KV engine of version 2) and the path"
            : $"{reference}: its newest version is deleted in Vault (404): write or undelete it"),
        var status => Outage(reference.ToString(), status),
    };

    private static SecretLookup Value(SecretReference reference, VaultAnswer answer)
    {
        if (answer.Member("data", "data", reference.Field) is not { ValueKind: JsonValueKind.String } field || field.GetString() is not { Length: > 0 } value)
            return SecretLookup.Missing($"{reference}: the secret has no text in field {reference.Field}: correct the part behind #");
        return SecretLookup.Found(value, answer.Member("data", "metadata", "version")?.ToString() ?? "");
    }
}
