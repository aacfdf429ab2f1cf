using System.Net;
using System.Text.Json;
using KpiControl.Agent.Connections;
using KpiControl.Jobs.Runs;

namespace KpiControl.Agent.Executors.Http;

/// <summary>What an answer that is no success means, by the platform's table of codes.</summary>
internal static class KpiServiceErrors
{
    private const int LongestMessage = 500;

    /// <param name="redact">Asked before anything is cut: half of a secret is found by nobody.</param>
    public static Failure Of(HttpResponseMessage response, byte[] body, Func<string, string> redact, TimeProvider time)
    {
        if ((int)response.StatusCode is >= 300 and < 400)
            return new Failure(RunErrors.PolicyDeny, "the KPI service answered with a redirect: give its own address as the connection's endpoint");
        var (code, message) = Parse(body, redact);
        var known = RunErrors.All.FirstOrDefault(error => error.Code == code) ?? ByStatus(response.StatusCode);
        return new Failure(known, $"the KPI service answered {(int)response.StatusCode} {(code.Length > 0 ? code : known.Code)}: {message}".TrimEnd(' ', ':'), RetryAfter(response, time));
    }

    public static Failure OfTransport(Exception error) => error switch
    {
        { InnerException: AddressRefusedException refused } => new Failure(RunErrors.PolicyDeny, $"the KPI service's name leads to {refused.Message}"),
        HttpRequestException unreached => new Failure(RunErrors.Internal, $"the KPI service cannot be reached: {unreached.HttpRequestError}"),
        _ => new Failure(RunErrors.Internal, $"the KPI service's answer was cut off{(error is HttpIOException cut ? $": {cut.HttpRequestError}" : "")}"),
    };

    private static (string Code, string Message) Parse(byte[] body, Func<string, string> redact)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            var message = redact(Text(json.RootElement, "message"));
            return (Text(json.RootElement, "error"), message.Length > LongestMessage ? message[..LongestMessage] : message);
        }
        catch (JsonException)
        {
            return ("", "");
        }
    }

    private static string Text(JsonElement owner, string name) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static RunError ByStatus(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized => RunErrors.Unauthenticated,
        HttpStatusCode.Forbidden => RunErrors.Unauthorized,
        HttpStatusCode.NotFound => RunErrors.InvalidKpiId,
        HttpStatusCode.Conflict => RunErrors.Conflict,
        HttpStatusCode.TooManyRequests => RunErrors.RateLimit,
        HttpStatusCode.RequestTimeout or HttpStatusCode.GatewayTimeout => RunErrors.ExecTimeout,
        >= HttpStatusCode.InternalServerError => RunErrors.Internal,
        _ => RunErrors.SchemaMismatch,
    };

    private static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider time) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > time.GetUtcNow() => date - time.GetUtcNow(),
        _ => null,
    };
}
