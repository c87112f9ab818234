using System.Globalization;
using Vks.Agent.Channel;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Containers;

/// <summary>Changes the limits of a cgroup, all or none.</summary>
/// <remarks>
/// The files are written here and not by <c>crun update</c>: that one leaves those it wrote before one that the kernel refused, cannot
/// take a limit back, and is a process more.
/// </remarks>
internal static class CgroupChange
{
    /// <summary>Errors by which the kernel says that it is the content it does not like.</summary>
    private const int Invalid = 22, OutOfRange = 34, NoSuchDevice = 19, Busy = 16;

    /// <summary>Writes the files whose content is another than before.</summary>
    /// <param name="folder">The cgroup.</param>
    /// <param name="before">What the files hold by earlier limits.</param>
    /// <param name="after">What they are to hold.</param>
    /// <exception cref="AgentException">InvalidRequest or WrongState: the kernel refused one, and none is changed.</exception>
    internal static void Apply(string folder, IReadOnlyList<KeyValuePair<string, string>> before, IReadOnlyList<KeyValuePair<string, string>> after)
    {
        var held = before.ToDictionary(StringComparer.Ordinal);
        var written = new Stack<(string Path, string Old)>();
        try
        {
            foreach ((string file, string content) in after)
            {
                if (held.GetValueOrDefault(file) == content)
                {
                    continue;
                }

                string path = Path.Combine(folder, file);
                if (!File.Exists(path))
                {
                    throw new AgentException(GuestFault.InvalidRequest, $"'{file}' cannot be '{content}': the guest's cgroups have no such file.");
                }

                if (file == "memory.max")
                {
                    RequireRoom(folder, content);
                }

                string old = Read(path);
                Write(path, content);
                written.Push((path, old));
            }
        }
        catch
        {
            Undo(written);
            throw;
        }
    }

    /// <summary>Tries limits on a cgroup that is made for it alone and empty, beside that which they are meant for.</summary>
    /// <exception cref="AgentException">As <see cref="Apply"/>.</exception>
    internal static void Try(string folder, IReadOnlyList<KeyValuePair<string, string>> before, IReadOnlyList<KeyValuePair<string, string>> after)
    {
        Directory.CreateDirectory(folder);
        try
        {
            Apply(folder, before, after);
        }
        finally
        {
            _ = Libc.RemoveDirectory(folder);
        }
    }

    /// <summary>The kernel would kill to get below a limit; so what can be given up is given up first, and a limit that is still too small refused.</summary>
    private static void RequireRoom(string folder, string content)
    {
        if (!long.TryParse(content, NumberStyles.None, CultureInfo.InvariantCulture, out long limit) || Used() <= limit)
        {
            return;
        }

        try
        {
            // Linux 5.19; EAGAIN when less could be had.
            File.WriteAllText(Path.Combine(folder, "memory.reclaim"), (Used() - limit).ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What it brought about is looked at next.
        }

        long used = Used();
        if (used > limit)
        {
            throw new AgentException(
                GuestFault.WrongState,
                string.Create(CultureInfo.InvariantCulture, $"memory.max cannot be {limit}: {used} bytes are in use and the kernel would kill to get below. Give a larger limit, or have the program free memory first."));
        }

        long Used() => long.TryParse(Read(Path.Combine(folder, "memory.current")), NumberStyles.None, CultureInfo.InvariantCulture, out long now) ? now : 0;
    }

    private static void Undo(Stack<(string Path, string Old)> written)
    {
        while (written.TryPop(out (string Path, string Old) one))
        {
            try
            {
                // Of files with several lines the kernel takes one at a time.
                foreach (string line in one.Old.Split('\n'))
                {
                    Write(one.Path, line);
                }
            }
            catch (AgentException exception)
            {
                Boot.Console.Log($"a refused change of limits could not be undone: {exception.Message}");
            }
        }
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Some can only be written.
            return "";
        }
    }

    private static void Write(string path, string content)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            file.Write(System.Text.Encoding.UTF8.GetBytes(content + "\n"));
        }
        catch (IOException exception) when (exception.HResult is Invalid or OutOfRange or NoSuchDevice or Busy)
        {
            throw new AgentException(
                exception.HResult == Busy ? GuestFault.WrongState : GuestFault.InvalidRequest,
                $"'{Path.GetFileName(path)}' cannot be '{content}': the guest's kernel says {exception.Message}",
                exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new AgentException(GuestFault.InvalidRequest, $"'{Path.GetFileName(path)}' cannot be set: {exception.Message}", exception);
        }
    }
}
