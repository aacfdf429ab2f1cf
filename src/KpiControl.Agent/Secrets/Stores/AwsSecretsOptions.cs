using System.ComponentModel.DataAnnotations;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>Section <c>Agent:Secrets:AwsSecretsManager</c>.</summary>
internal sealed class AwsSecretsOptions : IValidatableObject
{
    public const string Section = "Agent:Secrets:AwsSecretsManager";

    private const string AccessKeys = "access-key", WebIdentity = "web-identity";

    /// <summary><c>eu-central-1</c>; empty: no <c>aws-secrets-manager:</c> references.</summary>
    public string Region { get; set; } = "";

    /// <summary>Empty: the region's public endpoint.</summary>
    public string Address { get; set; } = "";

    public string CaFile { get; set; } = "";

    /// <summary><c>access-key</c> or <c>web-identity</c>.</summary>
    public string Login { get; set; } = AccessKeys;

    /// <summary>Login <c>web-identity</c>: the role of the pod's service account. As the clusters of AWS tell it to each pod.</summary>
    public string RoleArn { get; set; } = Environment.GetEnvironmentVariable("AWS_ROLE_ARN") ?? "";

    /// <summary>Login <c>web-identity</c>: the token that Kubernetes keeps fresh.</summary>
    public string TokenFile { get; set; } = Environment.GetEnvironmentVariable("AWS_WEB_IDENTITY_TOKEN_FILE") ?? "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";

    /// <summary>Of the Security Token Service; empty: the region's public endpoint.</summary>
    public string StsAddress { get; set; } = "";

    /// <summary>Login <c>access-key</c>: <c>file:</c> or <c>env:</c> references, read at each use, so rotated keys count at once.</summary>
    public string AccessKeyId { get; set; } = "";

    public string SecretAccessKey { get; set; } = "";

    /// <summary>Of temporary credentials.</summary>
    public string SessionToken { get; set; } = "";

    // A method: the validation reads every property, also that of a store which is not configured.
    public Uri Endpoint() => new(Address.Length > 0 ? Address : Public("secretsmanager"));

    public Uri StsEndpoint() => new(StsAddress.Length > 0 ? StsAddress : Public("sts"));

    public bool IsWebIdentity => Login == WebIdentity;

    private string Public(string service) => $"https://{service}.{Region}.amazonaws.com{(Region.StartsWith("cn-", StringComparison.Ordinal) ? ".cn" : "")}";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Region.Length == 0)
            return StoreSettings.Results([Address.Length > 0 ? $"{Section}:Region is missing: give the region that requests are signed for, for example eu-central-1." : null]);
        return StoreSettings.Results(
        [
            Region.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') ? null : $"{Section}:Region is no region: write one like eu-central-1.",
            Address.Length > 0 ? StoreSettings.Address($"{Section}:Address", Address) : null,
            StoreSettings.File($"{Section}:CaFile", CaFile),
            .. LoginMistakes(),
        ]);
    }

    private IEnumerable<string?> LoginMistakes() => Login switch
    {
        AccessKeys =>
        [
            StoreSettings.Reference($"{Section}:AccessKeyId", AccessKeyId), StoreSettings.Reference($"{Section}:SecretAccessKey", SecretAccessKey),
            SessionToken.Length > 0 ? StoreSettings.Reference($"{Section}:SessionToken", SessionToken) : null,
        ],
        WebIdentity => [StoreSettings.Given($"{Section}:RoleArn", RoleArn), StsAddress.Length > 0 ? StoreSettings.Address($"{Section}:StsAddress", StsAddress) : null],
        _ => [$"{Section}:Login must be access-key or web-identity."],
    };
}
