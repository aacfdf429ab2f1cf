using System.Globalization;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;

namespace KpiControl.Testing.Stores;

/// <summary>AssumeRoleWithWebIdentity of AWS' Security Token Service as its documentation describes it; what it gives opens a <see cref="AwsSecretServer"/>.</summary>
public sealed class AwsTokenServer : IAsyncDisposable
{
    private static readonly XNamespace Xmlns = "https://sts.amazonaws.com/doc/2011-06-15/";
    private readonly AwsSecretServer opens;
    private StoreServer server = null!;
    private int sessions;

    private AwsTokenServer(AwsSecretServer opens) => this.opens = opens;

    public string Url => server.Url;

    public string RoleArn { get; } = "arn:aws:iam::123456789012:role/kpi-agent";

    /// <summary>The service account's token that is accepted.</summary>
    public string WebIdentity { get; set; } = "canary-web-identity";

    public string Mark { get; set; } = "canary-{0}+/=";

    /// <summary>By the caller's clock.</summary>
    public Func<DateTimeOffset> Ends { get; set; } = () => TimeProvider.System.GetUtcNow().AddHours(1);

    /// <summary>Answers every well-formed request with this error while it is set.</summary>
    public (int Status, string Code)? Fails { get; set; }

    public int Sessions => sessions;

    public static async Task<AwsTokenServer> StartAsync(AwsSecretServer opens)
    {
        var tokens = new AwsTokenServer(opens);
        tokens.server = await StoreServer.StartAsync(tokens.AnswerAsync);
        return tokens;
    }

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var form = context.Request.HasFormContentType ? await context.Request.ReadFormAsync() : FormCollection.Empty;
        var (status, answer) = context.Request.Headers.Authorization.Count > 0 || form["Action"] != "AssumeRoleWithWebIdentity" || form["Version"] != "2011-06-15" || form["RoleSessionName"].ToString().Length < 2 ? Error(400, "ValidationError", form)
            : Fails is { } fails ? Error(fails.Status, fails.Code, form)
            : form["RoleArn"] != RoleArn ? Error(403, "AccessDenied", form)
            : form["WebIdentityToken"] != WebIdentity ? Error(400, "InvalidIdentityToken", form)
            : (200, Session());
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/xml";
        await context.Response.WriteAsync(answer.ToString());
    }

    private XElement Session()
    {
        var number = Interlocked.Increment(ref sessions);
        (opens.Key, opens.SessionToken) = (string.Format(CultureInfo.InvariantCulture, Mark, $"key-{number}"), string.Format(CultureInfo.InvariantCulture, Mark, $"session-{number}"));
        return new XElement(Xmlns + "AssumeRoleWithWebIdentityResponse", new XElement(Xmlns + "AssumeRoleWithWebIdentityResult",
            new XElement(Xmlns + "SubjectFromWebIdentityToken", "system:serviceaccount:kpi:agent"),
            new XElement(Xmlns + "Credentials",
                new XElement(Xmlns + "SessionToken", opens.SessionToken), new XElement(Xmlns + "SecretAccessKey", opens.Key),
                new XElement(Xmlns + "Expiration", Ends().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)), new XElement(Xmlns + "AccessKeyId", opens.KeyId))));
    }

    // The service's own words quote what it was sent.
    private static (int, XElement) Error(int status, string code, IFormCollection form) =>
        (status, new XElement(Xmlns + "ErrorResponse", new XElement(Xmlns + "Error", new XElement(Xmlns + "Type", "Sender"), new XElement(Xmlns + "Code", code), new XElement(Xmlns + "Message", form["WebIdentityToken"].ToString()))));
}
