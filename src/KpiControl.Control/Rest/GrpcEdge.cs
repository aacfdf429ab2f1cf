using System.Text.RegularExpressions;
using Grpc.AspNetCore.Server;
using Grpc.Core;

namespace KpiControl.Control.Rest;

/// <summary>
/// What Grpc.AspNetCore lets pass: a bogus grpc-timeout counts as none, paths match in any case, and a message that
/// cannot be parsed is UNKNOWN.
/// </summary>
internal sealed partial class GrpcEdge(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (!IsGrpc(context.Request))
        {
            await next(context);
            return;
        }
        if (context.Request.Headers["grpc-timeout"] is [{ } timeout] && !Timeout().IsMatch(timeout))
        {
            Refuse(context.Response, StatusCode.InvalidArgument, "grpc-timeout is not one to eight digits and a unit");
            return;
        }
        if (context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>() is { } method && context.Request.Path.Value != method.Method.FullName)
        {
            Refuse(context.Response, StatusCode.Unimplemented, "Service or method is unknown; names count their case");
            return;
        }
        await next(context);
        // Whatever a method throws has another code by now: UNKNOWN is the message that could not be read.
        if (!context.Response.HasStarted && context.Response.Headers["grpc-status"] == "2")
            Refuse(context.Response, StatusCode.InvalidArgument, "The request is not a message of this method");
    }

    public static bool IsGrpc(HttpRequest request) => request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    private static void Refuse(HttpResponse response, StatusCode code, string message)
    {
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)code).ToString(System.Globalization.CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = Uri.EscapeDataString(message);
    }

    [GeneratedRegex("^[0-9]{1,8}[HMSmun]$", RegexOptions.CultureInvariant)]
    private static partial Regex Timeout();
}
