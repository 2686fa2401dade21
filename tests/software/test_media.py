from marks import software

MEDIA = r"""
mkdir /tmp/f; cd /tmp/f; f="ffmpeg -nostdin -v error -y"
$f -f lavfi -i testsrc=d=3:s=320x240:r=15 -f lavfi -i sine=d=3 -c:v libx264 -threads 2 -preset fast -c:a aac -fflags +bitexact -flags:v +bitexact -flags:a +bitexact a.mp4
ffprobe -v error -show_entries stream=codec_name,nb_frames,width -of csv a.mp4; $f -i a.mp4 -map 0:v -f framemd5 -threads 2 - | md5sum
$f -f lavfi -i testsrc2=d=2:s=160x120 -c:v ffv1 -slices 4 -level 3 -threads 2 b.mkv; $f -i b.mkv -f md5 -threads 1 -
$f -i b.mkv -vf 'scale=80:60,hflip' -c:v libvpx-vp9 -b:v 100k -threads 2 -row-mt 1 c.webm
ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv c.webm
$f -i a.mp4 -r 1 p%d.png; ls p*.png | wc -l; $f -re -f lavfi -i sine=d=1 -f wav - | md5sum
$f -f lavfi -i testsrc=d=1 -f hls -hls_time 0.5 -g 10 h.m3u8; ls h*.ts | wc -l
(timeout -s INT 2 ffmpeg -nostdin -v error -re -f lavfi -i testsrc=d=100 i.mp4; echo $?)
ffprobe -v error -show_entries stream=codec_name -of csv i.mp4
mkfifo q; ($f -f lavfi -i testsrc=d=1:r=10 -f rawvideo -pix_fmt rgb24 q &); md5sum <q
convert -size 400x300 gradient:red-blue -swirl 90 -blur 0x3 -fill white -draw 'circle 200,150 200,100' a.png
identify -format '%wx%h %m %#\n' a.png; convert a.png -resize 50% -quality 80 b.jpg; identify -format '%wx%h %m\n' b.jpg
convert a.png a.png -append -crop 100x100 +repage t%d.gif; ls t*.gif | wc -l
montage t0.gif t1.gif t2.gif -tile 3x -geometry +2+2 m.png; identify -format '%wx%h\n' m.png
compare -metric AE a.png a.png null: 2>&1; echo
convert -limit memory 8MiB -limit map 16MiB -size 2000x2000 plasma:fractal -paint 2 -scale 100x big.png
identify -format '%wx%h\n' big.png; mogrify -rotate 90 a.png; identify -format '%wx%h %#\n' a.png
convert missing.png x.png 2>&1 | grep -c 'No such file'
"""


@software("ffmpeg", layer="tools")
def test_media(same_apart):
    """H.264, AAC, VP9, FFV1, HLS by threads, sums of the decoded frames, a pipe, an interrupted run; ImageMagick:
    draw, blur, montage, compare, with maps for memory"""
    same_apart(MEDIA, timeout=200)
