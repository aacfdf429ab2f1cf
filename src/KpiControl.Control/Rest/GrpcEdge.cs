using System.Text.RegularExpressions;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Rest;

/// <summary>
/// What Grpc.AspNetCore lets pass: a bogus grpc-timeout counts as none, and so does one of 0, paths match in any case, and a message that
/// cannot be parsed is UNKNOWN with a stack trace in the log, and is parsed before anybody asks who calls.
/// </summary>
internal sealed partial class GrpcEdge(RequestDelegate next, CallRates rates, IOptions<LimitOptions> limits)
{
    private const string StatusDetails = "grpc-status-details-bin";

    public async Task InvokeAsync(HttpContext context)
    {
        if (!IsGrpc(context.Request))
        {
            await next(context);
            return;
        }
        try
        {
            await DemandAsync(context);
        }
        catch (RpcException refused)
        {
            Refuse(context.Response, refused);
            return;
        }
        await next(context);
    }

    public static bool IsGrpc(HttpRequest request) => request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    private async Task DemandAsync(HttpContext context)
    {
        var called = context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method;
        // First of all: who may not call learns nothing of what they sent.
        if (called is not null)
            Admission.Demand(context, called.FullName);
        rates.Demand(context.User);
        var timeouts = context.Request.Headers["grpc-timeout"];
        if (timeouts.Count > 1 || timeouts is [{ } timeout] && !Timeout().IsMatch(timeout))
            throw Reject.Invalid("grpc-timeout", "is not one to eight digits and a unit");
        if (timeouts is [{ } asked] && CallDeadline.IsNoTime(asked))
            throw StatusResponse.Of(Google.Rpc.Code.DeadlineExceeded, "TOO_LONG", "The call's grpc-timeout was over before it began.");
        if (called is null)
            return;
        if (context.Request.Path.Value != called.FullName)
            throw StatusResponse.Of(Google.Rpc.Code.Unimplemented, "NO_SUCH_METHOD", "Service or method is unknown; names count their case.");
        if (called.Type == MethodType.Unary)
            context.Request.Headers["grpc-timeout"] = CallDeadline.Timeout(timeouts, limits.Value.LongestCall);
        await GrpcMessage.DemandAsync(context);
    }

    private static void Refuse(HttpResponse response, RpcException refused)
    {
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)refused.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = Uri.EscapeDataString(refused.Status.Detail);
        if (refused.Trailers.GetValueBytes(StatusDetails) is { } details)
            response.Headers[StatusDetails] = Convert.ToBase64String(details);
    }

    [GeneratedRegex("^[0-9]{1,8}[HMSmun]$", RegexOptions.CultureInvariant)]
    private static partial Regex Timeout();
}
