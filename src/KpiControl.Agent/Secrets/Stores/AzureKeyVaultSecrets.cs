using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.Security.KeyVault.Secrets;
using KpiControl.Agent.Connections;
using KpiControl.Jobs.Calls;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary><c>azure-key-vault:NAME</c> or <c>NAME/VERSION</c>: a secret of the one Key Vault in the settings.</summary>
/// <remarks>No managed identity by the machine's metadata service: its address is never called. Workload identity does without.</remarks>
internal sealed class AzureKeyVaultSecrets : ISecretResolver, IAsyncDisposable
{
    public const string SchemeName = "azure-key-vault";
    private readonly AzureKeyVaultOptions options;
    private readonly HttpClient client;
    private readonly NearSecret? clientSecret;
    private (string Secret, SecretClient Client)? opened;

    public AzureKeyVaultSecrets(AzureKeyVaultOptions options, SecretsInHand inHand)
    {
        this.options = options;
        client = StoreClient.Make(options.CaFile, new Uri(options.Address), new Uri(options.Authority));
        clientSecret = options.Login == "client-secret" ? new NearSecret(options.ClientSecret, inHand) : null;
    }

    public string Scheme => SchemeName;

    public async Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token)
    {
        var login = clientSecret is null ? SecretLookup.Found("", "") : await clientSecret.ReadAsync(token);
        if (login.Value is not { } secret)
            return SecretLookup.Missing($"{reference}: no login at Azure: {login.Problem}");
        var name = reference.Name.Split('/');
        try
        {
            KeyVaultSecret found = await Vault(secret).GetSecretAsync(name[0], name.ElementAtOrDefault(1), null, token);
            return found.Value is { Length: > 0 } value ? SecretLookup.Found(value, found.Properties.Version ?? "")
                : SecretLookup.Missing($"{reference} is empty in Key Vault: write it");
        }
        catch (RequestFailedException error) when (error.Status > 0)
        {
            return Words(reference, error.Status);
        }
        catch (AuthenticationFailedException error) when (!token.IsCancellationRequested && !IsTransport(error))
        {
            return SecretLookup.Missing($"{reference}: {options.Authority} refuses the {options.Login} login of client {options.ClientId}: renew {(object?)clientSecret ?? options.TokenFile}, or correct the tenant and client below {AzureKeyVaultOptions.Section}");
        }
    }

    public ValueTask DisposeAsync()
    {
        clientSecret?.Dispose();
        client.Dispose();
        return ValueTask.CompletedTask;
    }

    private static SecretLookup Words(SecretReference reference, int status) => status switch
    {
        401 => SecretLookup.Missing($"{reference}: Key Vault does not accept the login's token (401): look whether {AzureKeyVaultOptions.Section}:TenantId is the vault's"),
        403 => SecretLookup.Missing($"{reference}: this agent may not read it (403): give its identity the role Key Vault Secrets User, and look whether the secret is enabled and the network allowed"),
        404 => SecretLookup.Missing($"{reference} does not exist in Key Vault (404): write it, or correct the name"),
        429 => SecretLookup.Unavailable($"{reference}: Key Vault takes no more requests at the moment (429): raise Agent:Secrets:CacheFor"),
        >= 300 and < 400 => SecretLookup.Missing($"{reference}: Key Vault answers with a redirect, which is not followed: correct {AzureKeyVaultOptions.Section}:Address"),
        >= 500 => SecretLookup.Unavailable($"{reference}: Key Vault failed ({status}): try later"),
        _ => SecretLookup.Missing($"{reference}: Key Vault refuses the request ({status}): correct the name and version"),
    };

    private static bool IsTransport(Exception? error) =>
        error is not null && (error is HttpRequestException or RequestFailedException { Status: 0 } || IsTransport(error.InnerException));

    // A rotated client secret makes a new client: the library keeps what it was made with.
    private SecretClient Vault(string secret)
    {
        if (opened is { } kept && kept.Secret == secret)
            return kept.Client;
        var settings = new SecretClientOptions
        {
            Transport = new HttpClientTransport(client),
            // Vaults of the cloud have a name below the resource's; a loopback address has none.
            DisableChallengeResourceVerification = CallableAddresses.NamesLoopback(new Uri(options.Address).Host),
        };
        settings.Retry.MaxRetries = 0; // the run's own retries are enough, and know when
        var made = new SecretClient(new Uri(options.Address), Credential(secret), settings);
        opened = (secret, made);
        return made;
    }

    private TokenCredential Credential(string secret) => clientSecret is null
        ? new WorkloadIdentityCredential(Guarded(new WorkloadIdentityCredentialOptions { TenantId = options.TenantId, ClientId = options.ClientId, TokenFilePath = options.TokenFile, DisableInstanceDiscovery = true }))
        : new ClientSecretCredential(options.TenantId, options.ClientId, secret, Guarded(new ClientSecretCredentialOptions { DisableInstanceDiscovery = true }));

    private T Guarded<T>(T settings) where T : TokenCredentialOptions
    {
        (settings.Transport, settings.AuthorityHost) = (new HttpClientTransport(client), new Uri(options.Authority));
        settings.Retry.MaxRetries = 0;
        return settings;
    }
}
