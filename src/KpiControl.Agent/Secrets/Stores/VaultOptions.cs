using System.ComponentModel.DataAnnotations;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>Section <c>Agent:Secrets:Vault</c>.</summary>
internal sealed class VaultOptions : IValidatableObject
{
    public const string Section = "Agent:Secrets:Vault";

    /// <summary><c>https://vault.eu.example:8200</c>; empty: no <c>vault:</c> references.</summary>
    public string Address { get; set; } = "";

    public string CaFile { get; set; } = "";

    public string Namespace { get; set; } = "";

    /// <summary><c>token</c>, <c>approle</c> or <c>kubernetes</c>.</summary>
    public string Login { get; set; } = "token";

    /// <summary>Of the login; empty: <c>approle</c> or <c>kubernetes</c>.</summary>
    public string AuthMount { get; set; } = "";

    /// <summary>Login <c>token</c>: <c>file:</c> or <c>env:</c> reference, read again when the token is accepted no more.</summary>
    public string Token { get; set; } = "";

    /// <summary>Login <c>approle</c>.</summary>
    public string RoleId { get; set; } = "";

    /// <summary>Login <c>approle</c>: reference, read at each login.</summary>
    public string SecretId { get; set; } = "";

    /// <summary>Login <c>kubernetes</c>.</summary>
    public string Role { get; set; } = "";

    /// <summary>Login <c>kubernetes</c>: the service account's token, read at each login.</summary>
    public string JwtFile { get; set; } = "/var/run/secrets/kubernetes.io/serviceaccount/token";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Address.Length == 0)
            return [];
        IEnumerable<string?> login = Login switch
        {
            "token" => [StoreSettings.Reference($"{Section}:Token", Token)],
            "approle" => [StoreSettings.Given($"{Section}:RoleId", RoleId), StoreSettings.Reference($"{Section}:SecretId", SecretId)],
            "kubernetes" => [StoreSettings.Given($"{Section}:Role", Role)],
            _ => [$"{Section}:Login must be token, approle or kubernetes."],
        };
        return StoreSettings.Results([StoreSettings.Address($"{Section}:Address", Address), StoreSettings.File($"{Section}:CaFile", CaFile), .. login]);
    }
}
