using System.Net;
using System.Text;
using System.Text.Json;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>
/// <c>aws-secrets-manager:NAME</c>, its ARN, or either with <c>#FIELD</c> of a secret that is a JSON object: the current
/// version, by the service's documented HTTP interface.
/// </summary>
internal sealed class AwsSecrets : ISecretResolver, IAsyncDisposable
{
    public const string SchemeName = "aws-secrets-manager";
    private readonly HttpClient client;
    private readonly IAwsIdentity identity;
    private readonly AwsSecretsOptions options;
    private readonly TimeProvider time;

    public AwsSecrets(AwsSecretsOptions options, SecretsInHand inHand, TimeProvider time)
    {
        (this.options, this.time) = (options, time);
        client = StoreClient.Make(options.CaFile, options.IsWebIdentity ? [options.Endpoint(), options.StsEndpoint()] : [options.Endpoint()]);
        identity = options.IsWebIdentity ? new AwsWebIdentity(options, client, inHand, time) : new AwsAccessKey(options, inHand);
    }

    public string Scheme => SchemeName;

    public async Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token)
    {
        var access = await identity.AccessAsync(reference, null, token);
        var (found, kind) = await AskAsync(reference, access, token);
        // A role whose sessions were revoked gives new ones; a key that was rotated meanwhile is read at the next use.
        if (options.IsWebIdentity && kind is "ExpiredTokenException" or "ExpiredToken" or "UnrecognizedClientException" or "InvalidClientTokenId")
            (found, _) = await AskAsync(reference, await identity.AccessAsync(reference, access.Credentials, token), token);
        return found;
    }

    public ValueTask DisposeAsync()
    {
        identity.Dispose();
        client.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<(SecretLookup Found, string Kind)> AskAsync(SecretReference reference, AwsAccess access, CancellationToken token)
    {
        if (access.Credentials is not { } credentials)
            return (access.Problem!, "");
        using var request = new AwsRequest(options.Endpoint(), options.Region, "secretsmanager.GetSecretValue", JsonSerializer.Serialize(new { SecretId = reference.Place }))
            .Signed(credentials.KeyId, credentials.Key, credentials.SessionToken, time.GetUtcNow());
        using var response = await client.SendAsync(request, token);
        var body = await response.Content.ReadAsByteArrayAsync(token);
        var kind = response.StatusCode == HttpStatusCode.OK ? "" : Kind(body);
        return (response.StatusCode == HttpStatusCode.OK ? Read(reference, body) : Words(reference, response.StatusCode, kind), kind);
    }

    private static SecretLookup Read(SecretReference reference, byte[] body)
    {
        using var answer = JsonDocument.Parse(body);
        var whole = Text(answer.RootElement, "SecretString")
            ?? (Text(answer.RootElement, "SecretBinary") is { } binary ? Encoding.UTF8.GetString(Convert.FromBase64String(binary)) : "");
        var value = reference.Field.Length == 0 ? whole : Member(whole, reference.Field);
        return value is { Length: > 0 } ? SecretLookup.Found(value, Text(answer.RootElement, "VersionId") ?? "")
            : SecretLookup.Missing(reference.Field.Length == 0 ? $"{reference} is empty in Secrets Manager: write it"
                : $"{reference}: the secret is no JSON object with a text in {reference.Field}: correct the part behind #");
    }

    private static SecretLookup Words(SecretReference reference, HttpStatusCode status, string kind) => kind switch
    {
        "ResourceNotFoundException" => SecretLookup.Missing($"{reference} does not exist in Secrets Manager of this region: write it, or correct the name or {AwsSecretsOptions.Section}:Region"),
        "InvalidRequestException" => SecretLookup.Missing($"{reference} is marked for deletion in Secrets Manager: restore it"),
        "AccessDeniedException" => SecretLookup.Missing($"{reference}: this agent may not read it: allow its identity secretsmanager:GetSecretValue on it, and kms:Decrypt on its key"),
        "DecryptionFailure" => SecretLookup.Missing($"{reference}: its KMS key cannot decrypt it: enable the key and allow kms:Decrypt"),
        "UnrecognizedClientException" or "InvalidSignatureException" or "SignatureDoesNotMatch" or "InvalidClientTokenId" or "IncompleteSignature" or "MissingAuthenticationToken"
            => SecretLookup.Missing($"{reference}: AWS does not accept the access key: renew what {AwsSecretsOptions.Section}:AccessKeyId and SecretAccessKey refer to (with a web identity: look whether the role is there), and look at this machine's clock"),
        "ExpiredTokenException" or "ExpiredToken" or "RequestExpired" => SecretLookup.Missing($"{reference}: the AWS credentials have expired: renew what {AwsSecretsOptions.Section} refers to, and look at this machine's clock"),
        "ThrottlingException" or "TooManyRequestsException" => SecretLookup.Unavailable($"{reference}: Secrets Manager takes no more requests at the moment: raise Agent:Secrets:CacheFor"),
        _ when (int)status >= 500 || (int)status == 429 => SecretLookup.Unavailable($"{reference}: Secrets Manager failed ({(int)status}): try later"),
        _ when (int)status is >= 300 and < 400 => SecretLookup.Missing($"{reference}: Secrets Manager answers with a redirect, which is not followed: correct {AwsSecretsOptions.Section}:Address"),
        _ => SecretLookup.Missing($"{reference}: Secrets Manager refuses the request ({(int)status}): look at {AwsSecretsOptions.Section}"),
    };

    // "com.amazonaws.secretsmanager#ResourceNotFoundException", or the last part alone. Only compared, never repeated.
    private static string Kind(byte[] body)
    {
        try
        {
            using var answer = JsonDocument.Parse(body);
            return (Text(answer.RootElement, "__type") ?? "").Split('#')[^1];
        }
        catch (JsonException)
        {
            return "";
        }
    }

    private static string? Member(string whole, string field)
    {
        try
        {
            using var json = JsonDocument.Parse(whole);
            return Text(json.RootElement, field);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? Text(JsonElement owner, string name) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
