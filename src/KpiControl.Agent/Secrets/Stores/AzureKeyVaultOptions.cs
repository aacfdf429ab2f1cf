using System.ComponentModel.DataAnnotations;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>Section <c>Agent:Secrets:AzureKeyVault</c>.</summary>
internal sealed class AzureKeyVaultOptions : IValidatableObject
{
    public const string Section = "Agent:Secrets:AzureKeyVault";

    /// <summary><c>https://NAME.vault.azure.net</c>; empty: no <c>azure-key-vault:</c> references.</summary>
    public string Address { get; set; } = "";

    /// <summary>Who gives tokens. It and the three below: as clusters with workload identity tell them to each pod.</summary>
    public string Authority { get; set; } = Environment.GetEnvironmentVariable("AZURE_AUTHORITY_HOST") ?? "https://login.microsoftonline.com";

    public string CaFile { get; set; } = "";

    /// <summary><c>client-secret</c> or <c>workload-identity</c>.</summary>
    public string Login { get; set; } = "workload-identity";

    public string TenantId { get; set; } = Environment.GetEnvironmentVariable("AZURE_TENANT_ID") ?? "";

    public string ClientId { get; set; } = Environment.GetEnvironmentVariable("AZURE_CLIENT_ID") ?? "";

    /// <summary>Login <c>client-secret</c>: <c>file:</c> or <c>env:</c> reference, read at each use.</summary>
    public string ClientSecret { get; set; } = "";

    /// <summary>Login <c>workload-identity</c>: the federated token that Kubernetes keeps fresh.</summary>
    public string TokenFile { get; set; } = Environment.GetEnvironmentVariable("AZURE_FEDERATED_TOKEN_FILE") ?? "/var/run/secrets/azure/tokens/azure-identity-token";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Address.Length == 0)
            return [];
        return StoreSettings.Results(
        [
            // The libraries below send no token in plain text, not even on loopback.
            StoreSettings.Encrypted($"{Section}:Address", Address), StoreSettings.Encrypted($"{Section}:Authority", Authority),
            StoreSettings.File($"{Section}:CaFile", CaFile),
            StoreSettings.Given($"{Section}:TenantId", TenantId), StoreSettings.Given($"{Section}:ClientId", ClientId),
            Login switch
            {
                "client-secret" => StoreSettings.Reference($"{Section}:ClientSecret", ClientSecret),
                "workload-identity" => null,
                _ => $"{Section}:Login must be client-secret or workload-identity.",
            },
        ]);
    }
}
