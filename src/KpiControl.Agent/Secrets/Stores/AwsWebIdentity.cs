using System.Globalization;
using System.Net;
using System.Xml;
using System.Xml.Linq;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>
/// The role of the pod's service account: its token, which Kubernetes keeps fresh, is exchanged for credentials of an hour or so
/// (AssumeRoleWithWebIdentity of the Security Token Service, which takes no signature), again once two thirds of them are over.
/// </summary>
internal sealed class AwsWebIdentity(AwsSecretsOptions options, HttpClient client, SecretsInHand inHand, TimeProvider time) : IAwsIdentity
{
    private readonly NearSecret identityToken = new($"{FileSecrets.SchemeName}:{options.TokenFile}", inHand, isPods: true);
    private readonly SemaphoreSlim gate = new(1, 1);
    private Held? held;

    public async Task<AwsAccess> AccessAsync(SecretReference reference, AwsCredentials? refused, CancellationToken token)
    {
        await gate.WaitAsync(token);
        try
        {
            if (held is { } before && (before.Credentials == refused || time.GetUtcNow() >= before.Ends))
                Forget();
            if (held is { } fresh && time.GetUtcNow() < fresh.RenewAt)
                return new(fresh.Credentials, null);
            var made = await AssumeAsync(reference, token);
            // Those of before are good for a while yet; what is wrong is told when they are over.
            return made.Credentials is null && held is { } left ? new(left.Credentials, null) : made;
        }
        finally
        {
            gate.Release();
        }
    }

    public void Dispose()
    {
        Forget();
        identityToken.Dispose();
        gate.Dispose();
    }

    private async Task<AwsAccess> AssumeAsync(SecretReference reference, CancellationToken token)
    {
        var found = await identityToken.ReadAsync(token);
        if (found.Value is not { } jwt)
            return new(null, SecretLookup.Missing($"{reference}: no web identity for AWS: {found.Problem}"));
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["Action"] = "AssumeRoleWithWebIdentity", ["Version"] = "2011-06-15", ["RoleArn"] = options.RoleArn, ["RoleSessionName"] = "kpi-agent", ["WebIdentityToken"] = jwt,
        });
        try
        {
            using var response = await client.PostAsync(options.StsEndpoint(), form, token);
            var answer = Xml(await response.Content.ReadAsStringAsync(token));
            return response.StatusCode == HttpStatusCode.OK ? Hold(reference, answer) : new(null, Words(reference, response.StatusCode, Text(answer, "Code") ?? ""));
        }
        catch (HttpRequestException) when (held is not null)
        {
            return default; // out of reach, and not needed yet
        }
    }

    private AwsAccess Hold(SecretReference reference, XElement? answer)
    {
        if (Text(answer, "AccessKeyId") is not { } id || Text(answer, "SecretAccessKey") is not { } key || Text(answer, "SessionToken") is not { } session
            || !DateTimeOffset.TryParse(Text(answer, "Expiration"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var ends))
            return new(null, SecretLookup.Missing($"{reference}: what the Security Token Service answers are no credentials: correct {AwsSecretsOptions.Section}:StsAddress"));
        var (before, now, credentials) = (held, time.GetUtcNow(), new AwsCredentials(id, key, session));
        held = new Held(credentials, ends, now + ((ends - now) * 2 / 3), inHand.Hold(key), inHand.Hold(session));
        before?.Dispose();
        return new(credentials, null);
    }

    private SecretLookup Words(SecretReference reference, HttpStatusCode status, string code) => code switch
    {
        "ExpiredTokenException" or "InvalidIdentityToken" => SecretLookup.Missing(
            $"{reference}: AWS does not accept the web identity in {identityToken} ({code}): look whether the cluster keeps it fresh, for the audience sts.amazonaws.com, and whether its issuer is an identity provider of the account"),
        "AccessDenied" => SecretLookup.Missing($"{reference}: this agent may not assume its role: let the role in {AwsSecretsOptions.Section}:RoleArn trust the service account"),
        "ValidationError" or "RegionDisabledException" => SecretLookup.Missing($"{reference}: AWS refuses the role ({code}): correct {AwsSecretsOptions.Section}:RoleArn and Region"),
        "IDPCommunicationError" or "Throttling" => SecretLookup.Unavailable($"{reference}: AWS cannot check the web identity at the moment ({code}): try later"),
        _ when (int)status >= 500 || (int)status == 429 => SecretLookup.Unavailable($"{reference}: the Security Token Service failed ({(int)status}): try later"),
        _ => SecretLookup.Missing($"{reference}: the Security Token Service refuses the request ({(int)status}): look at {AwsSecretsOptions.Section}"),
    };

    private static XElement? Xml(string body)
    {
        try
        {
            using var reader = XmlReader.Create(new StringReader(body), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit });
            return XElement.Load(reader);
        }
        catch (XmlException)
        {
            return null;
        }
    }

    private static string? Text(XElement? answer, string name) => answer?.Descendants().FirstOrDefault(element => element.Name.LocalName == name)?.Value is { Length: > 0 } text ? text : null;

    private void Forget()
    {
        held?.Dispose();
        held = null;
    }

    private sealed record Held(AwsCredentials Credentials, DateTimeOffset Ends, DateTimeOffset RenewAt, IDisposable Key, IDisposable Session) : IDisposable
    {
        public void Dispose()
        {
            Key.Dispose();
            Session.Dispose();
        }
    }
}
