using System.Text.RegularExpressions;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using KpiControl.Control.Security;

namespace KpiControl.Control.Rest;

/// <summary>
/// What Grpc.AspNetCore lets pass: a bogus grpc-timeout counts as none, paths match in any case, and a message that
/// cannot be parsed is UNKNOWN, and is parsed before anybody asks who calls.
/// </summary>
internal sealed partial class GrpcEdge(RequestDelegate next)
{
    private const string StatusDetails = "grpc-status-details-bin";

    public async Task InvokeAsync(HttpContext context)
    {
        if (!IsGrpc(context.Request))
        {
            await next(context);
            return;
        }
        if (Refusal(context) is { } refused)
        {
            Refuse(context.Response, refused.StatusCode, refused.Status.Detail, refused.Trailers.GetValueBytes(StatusDetails));
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

    // The message of a unary call is parsed before any interceptor: who may not call would learn that it is malformed.
    private static RpcException? Refusal(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>() is not { } method)
            return null;
        try
        {
            Admission.Demand(context.User, method.Method.FullName, context.Request.Headers.Authorization.Count > 0);
            return null;
        }
        catch (RpcException refused)
        {
            return refused;
        }
    }

    private static void Refuse(HttpResponse response, StatusCode code, string message, byte[]? details = null)
    {
        if (details is not null)
            response.Headers[StatusDetails] = Convert.ToBase64String(details);
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)code).ToString(System.Globalization.CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = Uri.EscapeDataString(message);
    }

    [GeneratedRegex("^[0-9]{1,8}[HMSmun]$", RegexOptions.CultureInvariant)]
    private static partial Regex Timeout();
}
