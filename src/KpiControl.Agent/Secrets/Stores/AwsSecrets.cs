using System.Net;
using System.Text;
using System.Text.Json;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>
/// <c>aws-secrets-manager:NAME</c>, its ARN, or either with <c>#FIELD</c> of a secret that is a JSON object: the current
/// version, by the service's documented HTTP interface.
/// </summary>
internal sealed class AwsSecrets(AwsSecretsOptions options, SecretsInHand inHand, TimeProvider time) : ISecretResolver, IAsyncDisposable
{
    public const string SchemeName = "aws-secrets-manager";
    private readonly HttpClient client = StoreClient.Make(options.CaFile, options.Endpoint());
    private readonly NearSecret keyId = new(options.AccessKeyId, inHand);
    private readonly NearSecret key = new(options.SecretAccessKey, inHand);
    private readonly NearSecret? session = options.SessionToken.Length > 0 ? new(options.SessionToken, inHand) : null;

    public string Scheme => SchemeName;

    public async Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token)
    {
        var (id, secret, temporary) = (await keyId.ReadAsync(token), await key.ReadAsync(token), session is null ? null : await session.ReadAsync(token));
        foreach (var part in new[] { id, secret, temporary })
            if (part is { Value: null })
                return SecretLookup.Missing($"{reference}: no credentials for AWS: {part.Problem}");
        using var request = new AwsRequest(options.Endpoint(), options.Region, "secretsmanager.GetSecretValue", JsonSerializer.Serialize(new { SecretId = reference.Place }))
            .Signed(id.Value!, secret.Value!, temporary?.Value, time.GetUtcNow());
        using var response = await client.SendAsync(request, token);
        var body = await response.Content.ReadAsByteArrayAsync(token);
        return response.StatusCode == HttpStatusCode.OK ? Read(reference, body) : Words(reference, response.StatusCode, Kind(body));
    }

    public ValueTask DisposeAsync()
    {
        keyId.Dispose();
        key.Dispose();
        session?.Dispose();
        client.Dispose();
        return ValueTask.CompletedTask;
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
            => SecretLookup.Missing($"{reference}: AWS does not accept the access key: renew what {AwsSecretsOptions.Section}:AccessKeyId and SecretAccessKey refer to, and look at this machine's clock"),
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
